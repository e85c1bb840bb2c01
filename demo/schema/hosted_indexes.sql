CREATE INDEX guestbook_entry_site ON guestbook_entry (site_id);
CREATE INDEX guestbook_entry_email ON guestbook_entry (lower(email));
