"""Proofs used once, codes that never go back, and sessions with their person beside them."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import audit.fields
from audit.operations import Grant, Regulated

RISING = """
CREATE FUNCTION audit_credential_rises() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
BEGIN
    IF NEW.user_id <> OLD.user_id OR NEW.kind <> OLD.kind THEN
        RAISE EXCEPTION 'a credential stays with its person and kind'
            USING ERRCODE = 'integrity_constraint_violation';
    ELSIF NEW.is_active AND NOT OLD.is_active THEN
        RAISE EXCEPTION 'a credential that was replaced stays so'
            USING ERRCODE = 'integrity_constraint_violation';
    ELSIF OLD.last_step IS NOT NULL AND (NEW.last_step IS NULL OR NEW.last_step < OLD.last_step)
    THEN
        RAISE EXCEPTION 'the last accepted time step of a credential never goes back'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $guard$;
CREATE TRIGGER audit_credential_rises BEFORE UPDATE ON audit_credential
    FOR EACH ROW EXECUTE FUNCTION audit_credential_rises();
ALTER TABLE audit_credential ENABLE ALWAYS TRIGGER audit_credential_rises;
"""
FALLING = """
DROP TRIGGER audit_credential_rises ON audit_credential;
DROP FUNCTION audit_credential_rises();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_refuse_change")]

    operations = [
        migrations.AddField(
            model_name="signature",
            name="proof",
            field=models.OneToOneField(
                default=audit.fields.uuid7,  # for no row: there is none before this column
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="audit.record",
            ),
            preserve_default=False,
        ),
        Regulated("signature"),
        migrations.RunSQL(RISING, FALLING),
        migrations.CreateModel(
            name="OpenSession",
            fields=[
                ("session_key", models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name="session key")),
                ("session_data", models.TextField(verbose_name="session data")),
                ("expire_date", models.DateTimeField(db_index=True, verbose_name="expire date")),
                ("opened_at", models.DateTimeField(null=True)),
                ("seen_at", models.DateTimeField(null=True)),
                ("address", models.CharField(max_length=64, null=True)),
                ("user", models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={"verbose_name": "session", "verbose_name_plural": "sessions", "abstract": False},
        ),
        Grant("opensession", application="SELECT, INSERT, UPDATE, DELETE"),
    ]
