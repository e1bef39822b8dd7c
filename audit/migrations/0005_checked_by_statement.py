"""Rows are held to their record a statement at a time; a payload's names are checked in one look."""

from django.db import migrations

from audit.operations import Regulated

NAMES = """
ALTER TABLE audit_record DROP CONSTRAINT record_names_itself;
ALTER TABLE audit_record ADD CONSTRAINT record_names_itself CHECK (
    payload::jsonb @> jsonb_build_object('stream', stream, 'kind', kind));
"""
FOUND = """
CREATE FUNCTION ledger_require_found(there bigint, wanted bigint, label text) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $guard$
BEGIN
    IF there <> wanted THEN
        RAISE EXCEPTION '% of % rows of % are there to be changed: nothing was written',
            there, wanted, label USING ERRCODE = 'no_data_found';
    END IF;
    RETURN there;
END $guard$;
"""
BEFORE = """
ALTER TABLE audit_record DROP CONSTRAINT record_names_itself;
ALTER TABLE audit_record ADD CONSTRAINT record_names_itself CHECK (
    payload::jsonb ->> 'stream' = stream AND payload::jsonb ->> 'kind' = kind);
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_ddl")]

    operations = [
        migrations.RunSQL(NAMES, BEFORE),
        migrations.RunSQL(FOUND, "DROP FUNCTION ledger_require_found(bigint, bigint, text)"),
        Regulated("user"),
        Regulated("rolegrant"),
        Regulated("credential", digested=["secret"]),
        Regulated("signature"),
    ]
