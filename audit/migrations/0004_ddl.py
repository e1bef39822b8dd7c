"""A change of the schema writes a record: the event trigger calls this function."""

from django.db import migrations

NOTE = """
CREATE FUNCTION ledger_note_ddl(tag text, object_type text, object_identity text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $note$
DECLARE
    facts jsonb := jsonb_build_object(
        'tag', tag, 'object_type', object_type, 'object', left(object_identity, 500));
BEGIN
    -- jsonb prints keys by length, then by bytes, with spaces: the canonical text is put together.
    INSERT INTO audit_record (stream, kind, payload) VALUES ('ledger', 'audit.schema.changed',
        '{"actor":{"id":' || to_json(session_user::text)::text ||
        ',"kind":"process","name":' || to_json(session_user::text)::text ||
        '},"blobs":[],"changes":[],"data":{"object":' || (facts -> 'object')::text ||
        ',"object_type":' || (facts -> 'object_type')::text ||
        ',"tag":' || (facts -> 'tag')::text ||
        '},"kind":"audit.schema.changed","occurred_at":"' ||
        to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') ||
        '","parents":[],"reason":null,"source":{"address":null,"process":"database",' ||
        '"session":null,"software":"PostgreSQL ' || current_setting('server_version') ||
        '"},"stream":"ledger","v":1}');
END $note$;
REVOKE ALL ON FUNCTION ledger_note_ddl(text, text, text) FROM PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_people")]

    operations = [
        migrations.RunSQL(NOTE, "DROP FUNCTION ledger_note_ddl(text, text, text)"),
    ]
