CREATE INDEX panel_user_email ON panel_user (lower(email));
CREATE INDEX login_customer ON login (customer_number);
CREATE INDEX login_at ON login (at);
CREATE INDEX change_log_customer ON change_log (customer_number);
CREATE INDEX change_log_at ON change_log (at);
CREATE INDEX web_request_customer ON web_request (customer_number);
CREATE INDEX web_request_at ON web_request (at);
