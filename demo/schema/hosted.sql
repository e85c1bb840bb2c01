-- A database of the hosting: the customers' own sites and what their visitors wrote there. Times are UTC.
CREATE TABLE site (
  id INTEGER PRIMARY KEY,
  customer_number TEXT NOT NULL,  -- of the customer whose site it is, and who decides over what stands there
  host TEXT NOT NULL UNIQUE);

CREATE TABLE guestbook_entry (
  id INTEGER PRIMARY KEY,
  site_id INTEGER NOT NULL REFERENCES site,
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  message TEXT NOT NULL,
  written_at TIMESTAMP NOT NULL);
