"""Nothing recorded changes: triggers, citations, grants and monthly partitions."""

from django.db import migrations

from audit.operations import Grant, RefuseChange, Regulated

REFUSE = """
CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
BEGIN
    RAISE EXCEPTION '% on % is refused: a record is corrected by a new record', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $guard$;
"""

CITES = """
CREATE FUNCTION ledger_check_newer(before uuid, after uuid) RETURNS void LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
BEGIN
    -- Records of one transaction carry rising ids: an older one cannot be cited again.
    IF after = before OR (after < before AND EXISTS (
        SELECT FROM audit_record WHERE id = before AND transaction = pg_current_xact_id())) THEN
        RAISE EXCEPTION 'record % has served this row already: each change needs its own', after
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
END $guard$;

CREATE FUNCTION ledger_check_cited(cited uuid, label text, key uuid, before jsonb, after jsonb)
RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $guard$
DECLARE
    written_in xid8;
    told jsonb;
BEGIN
    SELECT transaction, jsonb_path_query_array(
            payload::jsonb, '$.changes[*] ? (@.subject.type == $type && @.subject.id == $id)',
            jsonb_build_object('type', label, 'id', key::text))
        INTO written_in, told FROM audit_record WHERE id = cited;
    IF written_in IS NULL THEN
        RAISE EXCEPTION '% % cites record %, which does not exist', label, key, cited
            USING ERRCODE = 'integrity_constraint_violation';
    ELSIF written_in <> pg_current_xact_id() THEN
        RAISE EXCEPTION '% % cites record %, which another transaction wrote', label, key, cited
            USING ERRCODE = 'integrity_constraint_violation';
    ELSIF jsonb_array_length(told) <> 1 THEN
        RAISE EXCEPTION 'record % tells of % % % times, not once',
            cited, label, key, jsonb_array_length(told)
            USING ERRCODE = 'integrity_constraint_violation';
    ELSIF told -> 0 -> 'new' IS DISTINCT FROM after THEN
        RAISE EXCEPTION '% % is not what record % says', label, key, cited
            USING ERRCODE = 'integrity_constraint_violation',
                  DETAIL = format('the row is %s, the record says %s', after, told -> 0 -> 'new');
    ELSIF coalesce(nullif(told -> 0 -> 'old', 'null'::jsonb), '{}'::jsonb)
            IS DISTINCT FROM coalesce(before, '{}'::jsonb) THEN
        RAISE EXCEPTION '% % was not before what record % says', label, key, cited
            USING ERRCODE = 'integrity_constraint_violation',
                  DETAIL = format('the row was %s, the record says %s', before, told -> 0 -> 'old');
    END IF;
END $guard$;
"""

PARTITIONS = """
CREATE FUNCTION ledger_partition_bound(month date) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT
RETURN (lpad(to_hex((extract(epoch FROM month AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0')
        || repeat('0', 20))::uuid;

CREATE FUNCTION ledger_make_partitions(ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $make$
DECLARE
    month date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    name text;
    made integer := 0;
BEGIN
    FOR step IN 0..ahead LOOP
        name := 'audit_record_' || to_char(month, 'YYYYMM');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF audit_record FOR VALUES FROM (%L) TO (%L)',
                name, ledger_partition_bound(month),
                ledger_partition_bound((month + interval '1 month')::date));
            EXECUTE format(
                'CREATE TRIGGER audit_record_keep_all BEFORE TRUNCATE ON %I '
                'FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()', name);
            EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER audit_record_keep_all', name);
            EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER audit_record_keep', name);
            made := made + 1;
        END IF;
        month := (month + interval '1 month')::date;
    END LOOP;
    RETURN made;
END $make$;
REVOKE ALL ON FUNCTION ledger_make_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_make_partitions(integer) TO twin_sealer;
"""

REFUSALS = """
CREATE TRIGGER audit_record_keep BEFORE UPDATE OR DELETE ON audit_record
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_record_keep;
CREATE TRIGGER audit_record_keep_all BEFORE TRUNCATE ON audit_record
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_record_keep_all;
CREATE TRIGGER audit_block_keep BEFORE UPDATE OR DELETE ON audit_block
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE audit_block ENABLE ALWAYS TRIGGER audit_block_keep;
CREATE TRIGGER audit_block_keep_all BEFORE TRUNCATE ON audit_block
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE audit_block ENABLE ALWAYS TRIGGER audit_block_keep_all;
SELECT ledger_make_partitions(2);
"""

GRANTS = """
GRANT SELECT ON audit_record, audit_block TO twin_application, twin_sealer, twin_gate, twin_auditor;
GRANT INSERT (stream, kind, payload) ON audit_record TO twin_application, twin_sealer, twin_gate;
GRANT INSERT (number, header, leaves) ON audit_block TO twin_sealer;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.RunSQL(REFUSE + CITES + PARTITIONS + REFUSALS + GRANTS),
        RefuseChange("tile"),
        RefuseChange("checkpoint"),
        RefuseChange("blob"),
        Regulated("user"),
        Regulated("rolegrant"),
        Regulated("credential", digested=["secret"]),
        Regulated("signature"),
        Grant("tile", application="SELECT", sealer="SELECT, INSERT", auditor="SELECT"),
        Grant("checkpoint", application="SELECT", sealer="SELECT, INSERT", auditor="SELECT"),
        Grant("blob", application="SELECT, INSERT", gate="SELECT, INSERT", auditor="SELECT"),
        Grant("user", application="SELECT, INSERT, UPDATE", gate="SELECT", auditor="SELECT"),
        Grant("rolegrant", application="SELECT, INSERT, UPDATE", gate="SELECT", auditor="SELECT"),
        Grant("credential", application="SELECT, INSERT, UPDATE"),
        Grant("signature", application="SELECT, INSERT", gate="SELECT", auditor="SELECT"),
    ]
