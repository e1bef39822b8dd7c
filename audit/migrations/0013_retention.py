"""Months of records: made ahead, closed, archived, held, and dropped after their time.

The functions that change partitions check in the database what they can; the sealer's role alone
may call them. Foreign keys to records lose their constraint: a partition could not go otherwise.
"""

import django.db.models.deletion
from django.db import migrations, models

import audit.fields
from audit.operations import Grant, RefuseChange, Regulated
from audit.retention.operations import LooseCitation
from audit.transitions import Transitions

MONTHS = """
CREATE FUNCTION ledger_month_name(month text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT
RETURN 'audit_record_' || replace(month, '-', '');

CREATE FUNCTION ledger_guard_partition(name text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $guard$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER audit_record_keep_all BEFORE TRUNCATE ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()', name);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER audit_record_keep_all', name);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER audit_record_keep', name);
END $guard$;
REVOKE ALL ON FUNCTION ledger_guard_partition(text) FROM PUBLIC;

CREATE FUNCTION ledger_make_months(first date, ahead integer) RETURNS integer
LANGUAGE plpgsql SET search_path = public, pg_temp AS $make$
DECLARE
    month date := date_trunc('month', first)::date;
    name text;
    made integer := 0;
BEGIN
    FOR step IN 0..ahead LOOP
        name := ledger_month_name(to_char(month, 'YYYY-MM'));
        IF to_regclass(name) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF audit_record FOR VALUES FROM (%L) TO (%L)',
                name, ledger_partition_bound(month),
                ledger_partition_bound((month + interval '1 month')::date));
            PERFORM ledger_guard_partition(name);
            made := made + 1;
        END IF;
        month := (month + interval '1 month')::date;
    END LOOP;
    RETURN made;
END $make$;
REVOKE ALL ON FUNCTION ledger_make_months(date, integer) FROM PUBLIC;

CREATE OR REPLACE FUNCTION ledger_make_partitions(ahead integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
RETURN ledger_make_months((now() AT TIME ZONE 'UTC')::date, ahead);
"""

CLOSE = """
CREATE FUNCTION ledger_refuse_closed() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
BEGIN
    RAISE EXCEPTION 'the month of % is archived and closed: does the clock run behind?',
        TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $guard$;

CREATE FUNCTION ledger_guard_closed(name text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $guard$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER audit_record_closed BEFORE INSERT ON %I '
        'FOR EACH ROW EXECUTE FUNCTION ledger_refuse_closed()', name);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER audit_record_closed', name);
END $guard$;
REVOKE ALL ON FUNCTION ledger_guard_closed(text) FROM PUBLIC;

CREATE FUNCTION ledger_close_month(month text, expected bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $close$
DECLARE
    name text := ledger_month_name(month);
    found bigint;
BEGIN
    IF to_regclass(name) IS NULL THEN
        RAISE EXCEPTION 'there is no month % in the ledger', month;
    ELSIF ((month || '-01')::date + interval '1 month') > clock_timestamp() AT TIME ZONE 'UTC' THEN
        RAISE EXCEPTION 'month % is not over', month
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SET LOCAL lock_timeout = '10s';
    EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', name);
    EXECUTE format('SELECT count(*) FROM %I', name) INTO found;
    IF found <> expected THEN
        RAISE EXCEPTION 'month % holds % records, % were archived', month, found, expected
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(name)
            AND tgname = 'audit_record_closed') THEN
        PERFORM ledger_guard_closed(name);
    END IF;
    RETURN found;
END $close$;
REVOKE ALL ON FUNCTION ledger_close_month(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_close_month(text, bigint) TO twin_sealer;
"""

HOLDS = """
CREATE FUNCTION ledger_holds_on(month text) RETURNS SETOF audit_legalhold
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $holds$
DECLARE
    held audit_legalhold;
    applies boolean;
    part text := ledger_month_name(month);
BEGIN
    FOR held IN SELECT * FROM audit_legalhold WHERE is_active ORDER BY id LOOP
        IF held.scope = 'all' THEN
            applies := true;
        ELSIF held.scope = 'month' THEN
            applies := held.value = month;
        ELSIF to_regclass(part) IS NULL THEN
            applies := false;
        ELSIF held.scope = 'stream' THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM audit_record WHERE id >= %L AND id < %L '
                'AND stream = %L)', ledger_partition_bound((month || '-01')::date),
                ledger_partition_bound(((month || '-01')::date + interval '1 month')::date),
                held.value) INTO applies;
        ELSIF held.scope = 'kind' THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM audit_record WHERE id >= %L AND id < %L '
                'AND starts_with(kind, %L))', ledger_partition_bound((month || '-01')::date),
                ledger_partition_bound(((month || '-01')::date + interval '1 month')::date),
                held.value) INTO applies;
        ELSE
            -- the person may be the actor or stand anywhere in what is told
            EXECUTE format('SELECT EXISTS (SELECT FROM audit_record WHERE id >= %L AND id < %L '
                'AND strpos(payload, %L) > 0)', ledger_partition_bound((month || '-01')::date),
                ledger_partition_bound(((month || '-01')::date + interval '1 month')::date),
                held.value) INTO applies;
        END IF;
        IF applies THEN
            RETURN NEXT held;
        END IF;
    END LOOP;
END $holds$;

CREATE FUNCTION audit_archivedmonth_stays() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
BEGIN
    IF (NEW.month, NEW.records, NEW.first_sequence, NEW.last_sequence, NEW.manifest, NEW.size)
            IS DISTINCT FROM
       (OLD.month, OLD.records, OLD.first_sequence, OLD.last_sequence, OLD.manifest, OLD.size) THEN
        RAISE EXCEPTION 'what the archive of % holds does not change', OLD.month
            USING ERRCODE = 'integrity_constraint_violation';
    ELSIF NEW.retain_until < OLD.retain_until THEN
        RAISE EXCEPTION 'the retention of % can be made longer, not shorter', OLD.month
            USING ERRCODE = 'integrity_constraint_violation';
    ELSIF OLD.state = 'dropped' THEN
        RAISE EXCEPTION '% is dropped: nothing of it changes any more', OLD.month
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $guard$;
CREATE TRIGGER audit_archivedmonth_stays BEFORE UPDATE ON audit_archivedmonth
    FOR EACH ROW EXECUTE FUNCTION audit_archivedmonth_stays();
ALTER TABLE audit_archivedmonth ENABLE ALWAYS TRIGGER audit_archivedmonth_stays;

CREATE FUNCTION audit_legalhold_ends() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
BEGIN
    IF (NEW.scope, NEW.value, NEW.matter) IS DISTINCT FROM (OLD.scope, OLD.value, OLD.matter)
            OR (NEW.is_active AND NOT OLD.is_active) THEN
        RAISE EXCEPTION 'a hold is released, never changed or set again: set a new one'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $guard$;
CREATE TRIGGER audit_legalhold_ends BEFORE UPDATE ON audit_legalhold
    FOR EACH ROW EXECUTE FUNCTION audit_legalhold_ends();
ALTER TABLE audit_legalhold ENABLE ALWAYS TRIGGER audit_legalhold_ends;
"""

DROP = """
CREATE FUNCTION ledger_require(holds boolean, reason text) RETURNS void LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
BEGIN
    IF holds IS NOT TRUE THEN
        RAISE EXCEPTION 'not dropped: %', reason USING ERRCODE = 'integrity_constraint_violation';
    END IF;
END $guard$;

CREATE FUNCTION ledger_check_drop(month text, approval uuid, evidence timestamptz, kept text[])
RETURNS audit_archivedmonth LANGUAGE plpgsql SET search_path = public, pg_temp AS $check$
DECLARE
    told audit_archivedmonth;
    asked jsonb;
BEGIN
    SELECT * INTO told FROM audit_archivedmonth row WHERE row.month = ledger_check_drop.month
        FOR UPDATE;
    PERFORM ledger_require(told.id IS NOT NULL, 'the month is not archived');
    PERFORM ledger_require(told.state = 'dropped' AND EXISTS (
            SELECT FROM audit_record r WHERE r.id = told.record_id
            AND r.transaction = pg_current_xact_id() AND r.kind = 'audit.partition.dropped'),
        'no record of this transaction tells of it');
    PERFORM ledger_require(told.retain_until < clock_timestamp(),
        'its retention is not over by the database''s clock');
    PERFORM ledger_require(told.retain_until < evidence,
        'its retention is not over by evidence from outside the database');
    PERFORM ledger_require(NOT EXISTS (SELECT FROM ledger_holds_on(month)), 'a hold lies on it');
    SELECT r.payload::jsonb -> 'data' INTO asked FROM audit_record r
        WHERE r.id = approval AND r.kind = 'audit.retention.drop_proposed';
    PERFORM ledger_require(
        asked ->> 'month' = month AND asked ->> 'manifest' = told.manifest
            AND asked -> 'kept' = to_jsonb(kept),
        'the approval is not for this month and bundle');
    PERFORM ledger_require(2 <= (SELECT count(DISTINCT s.signer_id) FROM audit_signature s
            WHERE s.signed_id = approval AND s.meaning = 'approval'),
        'two persons have not approved it');
    RETURN told;
END $check$;
REVOKE ALL ON FUNCTION ledger_check_drop(text, uuid, timestamptz, text[]) FROM PUBLIC;

CREATE FUNCTION ledger_drop_month(
    month text, approval uuid, evidence timestamptz, kept text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $drop$
DECLARE
    told audit_archivedmonth := ledger_check_drop(month, approval, evidence, kept);
    name text := ledger_month_name(month);
    fresh text := name || '_kept';
    first uuid := ledger_partition_bound((month || '-01')::date);
    below uuid := ledger_partition_bound(((month || '-01')::date + interval '1 month')::date);
    found bigint;
    gone bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %I', name) INTO found;
    PERFORM ledger_require(found = told.records, 'the month is not what was archived');
    -- The ledger's own story and the people are kept whatever the policy says.
    kept := kept || ARRAY['ledger', 'people'];
    EXECUTE format('INSERT INTO audit_droppedrecord (id, month, leaf, transaction, recorded_at) '
        'SELECT id, %L, leaf, transaction, recorded_at FROM %I WHERE NOT stream LIKE ANY (%L)',
        month, name, kept);
    GET DIAGNOSTICS gone = ROW_COUNT;
    PERFORM ledger_require(gone = told.dropped, 'the record tells another number of records');
    -- The index beside the ledger holds texts too.
    WITH gone AS (
        DELETE FROM audit_searchrow row USING audit_droppedrecord line
        WHERE line.id = row.record_id AND line.month = ledger_drop_month.month
        RETURNING row.bucket
    ), counted AS (SELECT bucket, count(*) AS rows FROM gone GROUP BY bucket)
    UPDATE audit_searchbucket held SET count = held.count - counted.rows
        FROM counted WHERE held.number = counted.bucket;
    EXECUTE format('CREATE TABLE %I (LIKE audit_record INCLUDING ALL)', fresh);
    EXECUTE format('INSERT INTO %I (id, stream, kind, payload, transaction, recorded_at) '
        'SELECT id, stream, kind, payload, transaction, recorded_at FROM %I '
        'WHERE stream LIKE ANY (%L)', fresh, name, kept);
    SET LOCAL lock_timeout = '10s';
    EXECUTE format('ALTER TABLE audit_record DETACH PARTITION %I', name);
    EXECUTE format('DROP TABLE %I', name);
    EXECUTE format('ALTER TABLE %I RENAME TO %I', fresh, name);
    EXECUTE format('ALTER TABLE audit_record ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        name, first, below);
    PERFORM ledger_guard_partition(name);
    PERFORM ledger_guard_closed(name);
    RETURN gone;
END $drop$;
REVOKE ALL ON FUNCTION ledger_drop_month(text, uuid, timestamptz, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_drop_month(text, uuid, timestamptz, text[]) TO twin_sealer;
"""

LINES = """
CREATE VIEW audit_line AS
    SELECT id, transaction, leaf, recorded_at, payload FROM audit_record
    UNION ALL
    SELECT id, transaction, leaf, recorded_at, NULL FROM audit_droppedrecord;
GRANT SELECT ON audit_line TO twin_application, twin_sealer, twin_gate, twin_auditor;
"""


def key():
    return models.UUIDField(
        default=audit.fields.uuid7, editable=False, primary_key=True, serialize=False
    )


def record():
    return models.ForeignKey(
        db_constraint=False,
        editable=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="audit.record",
    )


class Migration(migrations.Migration):
    dependencies = [("audit", "0014_desk")]

    operations = [
        *(
            LooseCitation(model, editable=False)
            for model in (
                *("user", "rolegrant", "credential", "signature"),
                *("trailreview", "reviewjudgement", "streamscope"),
            )
        ),
        LooseCitation("signature", "signed", related_name="signatures"),
        LooseCitation("signature", "proof", is_single=True),
        migrations.CreateModel(
            name="ArchivedMonth",
            fields=[
                ("id", key()),
                ("month", models.CharField(max_length=7, unique=True)),
                ("state", models.CharField(choices=[("archived", "Archived"), ("dropped", "Dropped")], max_length=10)),
                ("records", models.BigIntegerField()),
                ("first_sequence", models.BigIntegerField()),
                ("last_sequence", models.BigIntegerField()),
                ("manifest", models.CharField(max_length=64)),
                ("size", models.BigIntegerField()),
                ("place", models.CharField(max_length=400)),
                ("retain_until", models.DateTimeField()),
                ("dropped", models.BigIntegerField(default=0)),
                ("lines_digest", models.CharField(blank=True, max_length=64)),
                ("record", record()),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="LegalHold",
            fields=[
                ("id", key()),
                ("scope", models.CharField(choices=[("all", "Everything"), ("month", "One month"), ("stream", "One stream"), ("kind", "A kind, or the beginning of kinds"), ("person", "One person's acts")], max_length=10)),
                ("value", models.CharField(blank=True, max_length=120)),
                ("matter", models.CharField(max_length=200)),
                ("is_active", models.BooleanField(default=True)),
                ("record", record()),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="DroppedRecord",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("month", models.CharField(max_length=7)),
                ("leaf", models.BinaryField()),
                ("transaction", audit.fields.TransactionIdField()),
                ("recorded_at", models.DateTimeField()),
            ],
            options={"indexes": [models.Index(fields=["transaction", "id"], name="dropped_order")]},
        ),
        migrations.CreateModel(
            name="ActKey",
            fields=[
                ("key", models.UUIDField(primary_key=True, serialize=False)),
                ("record_id", models.UUIDField()),
                ("digest", models.CharField(max_length=64)),
                ("begun_at", models.DateTimeField(db_default=audit.fields.ClockTimestamp())),
            ],
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("transaction", audit.fields.TransactionIdField()),
                ("leaf", models.BinaryField()),
                ("recorded_at", models.DateTimeField()),
                ("payload", models.TextField(null=True)),
            ],
            options={"db_table": "audit_line", "managed": False},
        ),
        Regulated("archivedmonth"),
        Transitions("archivedmonth", column="state", start=["archived"], pairs=[("archived", "dropped")]),
        Regulated("legalhold"),
        RefuseChange("droppedrecord"),
        RefuseChange("actkey"),
        migrations.RunSQL(MONTHS + CLOSE + HOLDS + DROP + LINES),
        Grant("archivedmonth", application="SELECT", sealer="SELECT, INSERT, UPDATE", gate="SELECT", auditor="SELECT"),
        Grant("legalhold", application="SELECT, INSERT, UPDATE", sealer="SELECT", auditor="SELECT"),
        Grant("droppedrecord", application="SELECT", sealer="SELECT", gate="SELECT", auditor="SELECT"),
        Grant("actkey", application="SELECT, INSERT", gate="SELECT, INSERT", auditor="SELECT"),
        Grant("user", sealer="SELECT"),
        Grant("rolegrant", sealer="SELECT"),
        Grant("signature", sealer="SELECT"),
        Grant("blob", sealer="SELECT"),
    ]
