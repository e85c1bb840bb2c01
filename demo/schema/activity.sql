-- What happened in the control panel: logged by machines, read when something is to be found out. Times are UTC.
CREATE TABLE panel_user (
  customer_number TEXT NOT NULL PRIMARY KEY,
  display_name TEXT NOT NULL,
  email TEXT NOT NULL,
  locked BOOLEAN NOT NULL DEFAULT 0 CHECK (locked IN (0, 1)),
  closed_on DATE,  -- empty while the customer has a running contract
  last_login_at TIMESTAMP);

CREATE TABLE login (
  id INTEGER PRIMARY KEY,
  customer_number TEXT NOT NULL REFERENCES panel_user,
  at TIMESTAMP NOT NULL,
  ip TEXT NOT NULL,
  user_agent TEXT NOT NULL);

CREATE TABLE change_log (
  id INTEGER PRIMARY KEY,
  customer_number TEXT NOT NULL REFERENCES panel_user,
  at TIMESTAMP NOT NULL,
  ip TEXT NOT NULL,
  what TEXT NOT NULL);

CREATE TABLE web_request (
  id INTEGER PRIMARY KEY,
  customer_number TEXT NOT NULL REFERENCES panel_user,
  at TIMESTAMP NOT NULL,
  host TEXT NOT NULL,
  path TEXT NOT NULL,
  status INTEGER NOT NULL,
  client_network TEXT NOT NULL);
