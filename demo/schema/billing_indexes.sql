CREATE INDEX ON account (lower(email));
CREATE INDEX ON invoice (account_id);
CREATE INDEX ON invoice (issued_on);
CREATE INDEX ON payment (invoice_id);
