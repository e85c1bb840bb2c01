"""The audit log can be added to and nothing else, whoever asks: a mistake in the code as little as a hand at the prompt.

The owner of the table can take the trigger away; what is done then is found by `audit verify`, and by the checkpoints outside
the database. ENABLE ALWAYS: a session that plays a replica (session_replication_role) does not slip past.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION privacy_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END;
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON privacy_auditevent
    FOR EACH ROW EXECUTE FUNCTION privacy_audit_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON privacy_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION privacy_audit_append_only();
ALTER TABLE privacy_auditevent ENABLE ALWAYS TRIGGER audit_append_only;
ALTER TABLE privacy_auditevent ENABLE ALWAYS TRIGGER audit_no_truncate;
"""
BACKWARD = """
DROP TRIGGER audit_no_truncate ON privacy_auditevent;
DROP TRIGGER audit_append_only ON privacy_auditevent;
DROP FUNCTION privacy_audit_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("privacy", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
