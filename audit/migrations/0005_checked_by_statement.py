"""Rows are held to their record a statement at a time; a payload's names are checked in one look."""

from django.db import migrations

from audit.operations import Regulated

NAMES = """
ALTER TABLE audit_record DROP CONSTRAINT record_names_itself;
ALTER TABLE audit_record ADD CONSTRAINT record_names_itself CHECK (
    payload::jsonb @> jsonb_build_object('stream', stream, 'kind', kind));
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
        Regulated("user"),
        Regulated("rolegrant"),
        Regulated("credential", digested=["secret"]),
        Regulated("signature"),
    ]
