-- Made after the rows are in: quicker than keeping them up to date row by row.
CREATE INDEX ON customer (lower(email));
CREATE INDEX ON customer (phone);
CREATE INDEX ON customer (support_rep_id);
CREATE INDEX ON contact_person (lower(email));
CREATE INDEX ON customer_contact (contact_person_id);
CREATE INDEX ON domain (registrant_number);
CREATE INDEX ON domain_owner (customer_id);
CREATE INDEX ON dns_record (domain_id);
CREATE INDEX ON hosting_service (customer_id);
CREATE INDEX ON hosting_service (domain_id);
CREATE INDEX ON ticket (customer_id);
CREATE INDEX ON ticket (assigned_to);
CREATE INDEX ON ticket_message (ticket_id);
CREATE INDEX ON ticket_message (employee_id);
