"""The staff desk: the admin's lists, pages and steps over cases, stores and proof. Everything visible from below is shown here,
since the floor that holds stores and audit log knows no staff and no roles."""
