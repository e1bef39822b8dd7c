"""Expected guards are the owner's to record; personal text under keys that can be destroyed."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import audit.fields
from audit.operations import Grant, Regulated

EXPECTED = """
ALTER TABLE audit_record ADD CONSTRAINT guards_are_the_owners_to_expect
    CHECK (kind <> 'audit.guards.recorded' OR pg_has_role('twin_owner', 'MEMBER'));
"""
ANYBODYS = "ALTER TABLE audit_record DROP CONSTRAINT guards_are_the_owners_to_expect;"

# Which of these leaves is no record's; null when all are. This month and the last one are asked by
# name: a question to all partitions grows dearer with each month of a ledger's life.
CITED = """
CREATE FUNCTION ledger_unknown_leaf(leaves bytea[]) RETURNS bytea LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $cited$
DECLARE
    month date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    place regclass;
    left_over bytea[] := leaves;
BEGIN
    FOREACH place IN ARRAY ARRAY[
        to_regclass('audit_record_' || to_char(month, 'YYYYMM')),
        to_regclass('audit_record_' || to_char(month - 1, 'YYYYMM')), 'audit_record'::regclass]
    LOOP
        IF place IS NOT NULL THEN
            EXECUTE format(
                'SELECT array_agg(cited) FROM unnest($1) cited '
                'WHERE (SELECT true FROM %s WHERE leaf = cited LIMIT 1) IS NULL', place)
                INTO left_over USING left_over;
        END IF;
        IF left_over IS NULL THEN
            RETURN NULL;
        END IF;
    END LOOP;
    RETURN left_over[1];
END $cited$;
REVOKE ALL ON FUNCTION ledger_unknown_leaf(bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_unknown_leaf(bytea[])
    TO twin_application, twin_sealer, twin_gate, twin_recovery;
"""

ERASING = """
CREATE FUNCTION audit_personalkey_ends() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.secret IS NULL THEN
            RAISE EXCEPTION 'a key begins with its secret'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    ELSIF OLD.secret IS NULL OR NEW.secret IS NOT NULL
        OR (NEW.id, NEW.person_id, NEW.made_at) IS DISTINCT FROM
           (OLD.id, OLD.person_id, OLD.made_at) THEN
        RAISE EXCEPTION 'a personal key is destroyed or stays as it is'
            USING ERRCODE = 'integrity_constraint_violation';
    ELSIF NOT EXISTS (
        SELECT FROM audit_record WHERE id = NEW.erasure AND kind = 'audit.personal.erased'
            AND transaction = pg_current_xact_id()
            AND payload::jsonb @? format('$.data.keys[*] ? (@ == "%s")', NEW.id)::jsonpath) THEN
        RAISE EXCEPTION 'key % is destroyed by an act on record, or not at all', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $guard$;
CREATE TRIGGER audit_personalkey_ends BEFORE INSERT OR UPDATE ON audit_personalkey
    FOR EACH ROW EXECUTE FUNCTION audit_personalkey_ends();
ALTER TABLE audit_personalkey ENABLE ALWAYS TRIGGER audit_personalkey_ends;
CREATE TRIGGER audit_personalkey_keep BEFORE DELETE ON audit_personalkey
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE audit_personalkey ENABLE ALWAYS TRIGGER audit_personalkey_keep;
CREATE TRIGGER audit_personalkey_keep_all BEFORE TRUNCATE ON audit_personalkey
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE audit_personalkey ENABLE ALWAYS TRIGGER audit_personalkey_keep_all;
GRANT UPDATE (secret, erasure) ON audit_personalkey TO twin_application;
"""
STAYING = """
DROP TRIGGER audit_personalkey_keep_all ON audit_personalkey;
DROP TRIGGER audit_personalkey_keep ON audit_personalkey;
DROP TRIGGER audit_personalkey_ends ON audit_personalkey;
DROP FUNCTION audit_personalkey_ends();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0013_retention")]

    operations = [
        migrations.RunSQL(EXPECTED, ANYBODYS),
        migrations.RunSQL(CITED, "DROP FUNCTION ledger_unknown_leaf(bytea[])"),
        migrations.AlterField(
            model_name="user",
            name="email",
            field=models.CharField(blank=True, max_length=500),
        ),
        Regulated("user"),
        migrations.CreateModel(
            name="PersonalKey",
            fields=[
                ("id", models.UUIDField(default=audit.fields.uuid7, editable=False, primary_key=True, serialize=False)),
                ("secret", models.BinaryField(null=True)),
                ("made_at", models.DateTimeField(db_default=audit.fields.ClockTimestamp())),
                ("erasure", models.UUIDField(null=True)),
                ("person", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="personal_keys", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(condition=models.Q(("secret__isnull", False)), fields=("person",), name="one_living_key_a_person"),
                    models.CheckConstraint(condition=models.Q(models.Q(("erasure__isnull", True), ("secret__isnull", False)), models.Q(("erasure__isnull", False), ("secret__isnull", True)), _connector="OR"), name="a_key_lives_or_was_erased"),
                ],
            },
        ),
        Grant("personalkey", application="SELECT, INSERT"),
        migrations.RunSQL(ERASING, STAYING),
    ]
