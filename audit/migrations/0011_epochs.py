"""The ledger can be closed: no record goes in before it is known to be the one sealed last."""

from django.db import migrations, models

# 57L01: a code of our own in the class "operator intervention", which drivers treat as a server
# that is away; whoever repeats later what such a server refused does so here too.
GUARD = """
INSERT INTO audit_standing (id, is_open, reason, since) VALUES (1, true, '', clock_timestamp());
CREATE TRIGGER audit_standing_keep BEFORE DELETE ON audit_standing
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE audit_standing ENABLE ALWAYS TRIGGER audit_standing_keep;
CREATE TRIGGER audit_standing_keep_all BEFORE TRUNCATE ON audit_standing
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE audit_standing ENABLE ALWAYS TRIGGER audit_standing_keep_all;

-- The switch: the start of the server for which the ledger was found in order, in microseconds.
-- A sequence, because reading one costs a third of a microsecond and a row ten times as much.
CREATE SEQUENCE audit_open AS bigint MINVALUE 1;

CREATE FUNCTION ledger_server_start() RETURNS bigint LANGUAGE sql STABLE
RETURN (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint;

SELECT setval('audit_open', ledger_server_start());

CREATE FUNCTION ledger_refuse_while_closed() RETURNS void LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
DECLARE
    standing audit_standing;
BEGIN
    SELECT * INTO standing FROM audit_standing;
    IF current_user = 'twin_recovery' THEN
        RETURN;  -- two persons open an epoch
    ELSIF standing.is_open AND current_user = 'twin_owner' THEN
        RETURN;  -- an administrator's migration, between a start of the server and the check
    ELSIF standing.is_open THEN
        RAISE EXCEPTION 'the ledger is closed: the database was started anew and the sealer has '
            'not checked yet that nothing is missing' USING ERRCODE = '57L01',
            HINT = 'It does so when it starts; try again in a moment.';
    END IF;
    RAISE EXCEPTION 'the ledger is closed: %', standing.reason USING ERRCODE = '57L01',
        HINT = 'Two persons open a new epoch with manage.py open_epoch.';
END $guard$;

-- No SET clause and no query in the usual case: it runs for each insert. Names are qualified.
CREATE FUNCTION ledger_require_open() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
    IF pg_catalog.pg_sequence_last_value('public.audit_open') IS DISTINCT FROM
        (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint THEN
        PERFORM public.ledger_refuse_while_closed();
    END IF;
    RETURN NULL;
END $guard$;

CREATE TRIGGER audit_record_open BEFORE INSERT ON audit_record
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_require_open();
ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_record_open;

-- The fork record is written by the act of two persons alone.
ALTER TABLE audit_record ADD CONSTRAINT record_forks_by_act
    CHECK (kind <> 'audit.ledger.forked' OR current_user = 'twin_recovery') NOT VALID;

GRANT SELECT ON audit_standing
    TO twin_application, twin_sealer, twin_gate, twin_auditor, twin_recovery;
GRANT UPDATE ON audit_standing TO twin_sealer;
GRANT UPDATE (fork_id) ON audit_standing TO twin_recovery;
GRANT SELECT ON SEQUENCE audit_open
    TO twin_application, twin_sealer, twin_gate, twin_auditor, twin_recovery;
GRANT UPDATE ON SEQUENCE audit_open TO twin_sealer;

-- What the act of two persons needs: their components, the record, the signatures.
GRANT SELECT ON audit_record, audit_block, audit_checkpoint, audit_tile, audit_blob, audit_user,
    audit_rolegrant, audit_credential, audit_signature TO twin_recovery;
GRANT INSERT (stream, kind, payload) ON audit_record TO twin_recovery;
GRANT UPDATE ON audit_user, audit_credential TO twin_recovery;
GRANT INSERT ON audit_signature, audit_blob TO twin_recovery;
"""
UNGUARD = """
DROP TRIGGER audit_record_open ON audit_record;
ALTER TABLE audit_record DROP CONSTRAINT record_forks_by_act;
DROP FUNCTION ledger_require_open();
DROP FUNCTION ledger_refuse_while_closed();
DROP FUNCTION ledger_server_start();
DROP SEQUENCE audit_open;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_checked_by_statement")]

    operations = [
        migrations.CreateModel(
            name="Standing",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("is_open", models.BooleanField()),
                ("reason", models.TextField(blank=True)),
                ("since", models.DateTimeField()),
                ("fork_id", models.UUIDField(null=True)),
            ],
            options={"db_table": "audit_standing"},
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
