"""Migration operations that put the guard rails into the database itself.

Triggers are ENABLE ALWAYS: ``session_replication_role`` does not silence them.
"""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.migrations.operations.base import Operation

ROLES = ("application", "sealer", "gate", "auditor", "indexer")  # each a login role twin_<name>


class TableOperation(Operation):
    """An operation on the table of one model; it changes no Django state."""

    reduces_to_sql = True
    reversible = True
    option_names: tuple[str, ...] = ()

    def __init__(self, model: str, **options: Any) -> None:
        self.model, self.options = model, options

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [self.model], self.options

    def state_forwards(self, app_label: str, state: Any) -> None:
        pass

    def database_forwards(self, app_label: str, editor: Any, before: Any, after: Any) -> None:
        for statement in self.forwards(after.apps.get_model(app_label, self.model)):
            editor.execute(statement, params=None)

    def database_backwards(self, app_label: str, editor: Any, before: Any, after: Any) -> None:
        for statement in self.backwards(before.apps.get_model(app_label, self.model)):
            editor.execute(statement, params=None)

    def describe(self) -> str:
        return f"{type(self).__name__} on {self.model}"

    def forwards(self, model: type[models.Model]) -> Iterable[str]:
        raise NotImplementedError

    def backwards(self, model: type[models.Model]) -> Iterable[str]:
        return ()


class RefuseChange(TableOperation):
    """Rows of the table are added, never updated, deleted or truncated."""

    def forwards(self, model: type[models.Model]) -> Iterable[str]:
        table = model._meta.db_table
        yield from _refusals(table, row_events="UPDATE OR DELETE")

    def backwards(self, model: type[models.Model]) -> Iterable[str]:
        yield from _drop_refusals(model._meta.db_table)


class Regulated(TableOperation):
    """Each row must equal the ``new`` of the record it cites; DELETE and TRUNCATE are refused.

    Run it again in the migration that adds, drops or renames a column. ``digested`` names the
    columns that the ledger tells by their SHA-256 only.
    """

    def forwards(self, model: type[models.Model]) -> Iterable[str]:
        table, name = model._meta.db_table, model._meta.db_table + "_cites"
        digested = tuple(self.options.get("digested", ()))
        columns = [
            field
            for field in model._meta.concrete_fields
            if field.attname not in {"id", "record_id"}
        ]
        yield CHECK_TOLD
        yield _cites_function(name, model._meta.label_lower, columns, digested)
        for trigger, event, tables in _cites_triggers(table):
            yield f"DROP TRIGGER IF EXISTS {trigger} ON {table}"
            yield (
                f"CREATE TRIGGER {trigger} AFTER {event} ON {table} REFERENCING {tables} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
            )
            yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"
        yield from _refusals(table, row_events="DELETE")

    def backwards(self, model: type[models.Model]) -> Iterable[str]:
        table, name = model._meta.db_table, model._meta.db_table + "_cites"
        for trigger, _, _ in _cites_triggers(table):
            yield f"DROP TRIGGER IF EXISTS {trigger} ON {table}"
        yield f"DROP FUNCTION IF EXISTS {name}()"
        yield from _drop_refusals(table)


class Grant(TableOperation):
    """Give roles their rights on a table: ``Grant("block", sealer="SELECT, INSERT")``."""

    def forwards(self, model: type[models.Model]) -> Iterable[str]:
        for role, rights in self._rights():
            yield f"GRANT {rights} ON {model._meta.db_table} TO twin_{role}"
            for sequence in _sequences(model, rights):
                yield f"GRANT USAGE ON SEQUENCE {sequence} TO twin_{role}"

    def backwards(self, model: type[models.Model]) -> Iterable[str]:
        for role, _ in self._rights():
            yield f"REVOKE ALL ON {model._meta.db_table} FROM twin_{role}"

    def _rights(self) -> list[tuple[str, str]]:
        if unknown := set(self.options) - set(ROLES):
            raise ValueError(f"unknown database roles: {sorted(unknown)}")
        return list(self.options.items())


def _sequences(model: type[models.Model], rights: str) -> list[str]:
    key = model._meta.pk
    automatic = isinstance(key, models.AutoField | models.BigAutoField) and "INSERT" in rights
    return [f"{model._meta.db_table}_{key.column}_seq"] if automatic and key else []


def _refusals(table: str, *, row_events: str) -> Iterable[str]:
    for name, timing in (
        (f"{table}_keep", f"BEFORE {row_events} ON {table} FOR EACH ROW"),
        (f"{table}_keep_all", f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT"),
    ):
        yield f"DROP TRIGGER IF EXISTS {name} ON {table}"
        yield f"CREATE TRIGGER {name} {timing} EXECUTE FUNCTION ledger_refuse_change()"
        yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"


def _drop_refusals(table: str) -> Iterable[str]:
    yield f"DROP TRIGGER IF EXISTS {table}_keep ON {table}"
    yield f"DROP TRIGGER IF EXISTS {table}_keep_all ON {table}"


def _told(field: Any, row: str, digested: tuple[str, ...]) -> str:
    """Return the SQL that turns one column into the jsonb its record must hold."""
    column = f'{row}."{field.column}"'
    if field.attname in digested:
        return f"to_jsonb('sha256:' || encode(sha256(convert_to({column}, 'UTF8')), 'hex'))"
    if isinstance(field, models.DateTimeField):
        pattern = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
        return f"to_jsonb(to_char({column} AT TIME ZONE 'UTC', '{pattern}'))"
    if isinstance(field, models.DecimalField):
        return f"to_jsonb({column}::text)"
    if isinstance(field, models.BinaryField):
        return f"to_jsonb(encode({column}, 'hex'))"
    if isinstance(field, models.FloatField):
        raise TypeError(f"{field}: a regulated row holds no floats; use a decimal column")
    return f"to_jsonb({column})"


def _row_as_told(columns: list[Any], row: str, digested: tuple[str, ...]) -> str:
    pairs = [f"'{field.attname}', {_told(field, row, digested)}" for field in columns]
    return "jsonb_build_object(" + ", ".join(pairs) + ")"


def _cites_triggers(table: str) -> Iterable[tuple[str, str, str]]:
    """Return name, event and transition tables of the triggers that hold rows to their records."""
    yield f"{table}_cites", "INSERT", "NEW TABLE AS present"
    yield f"{table}_cites_change", "UPDATE", "NEW TABLE AS present OLD TABLE AS previous"


def _cites_function(name: str, label: str, columns: list[Any], digested: tuple[str, ...]) -> str:
    before, after = (_row_as_told(columns, row, digested) for row in ("o", "p"))
    return f"""
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
DECLARE
    act record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        FOR act IN SELECT p.record_id AS cited, array_agg(p.id) AS keys, array_agg({after}) AS after
                FROM present p GROUP BY p.record_id LOOP
            PERFORM ledger_check_told('{label}', act.cited, act.keys, NULL, NULL, act.after);
        END LOOP;
    ELSE
        IF EXISTS (SELECT id FROM present EXCEPT SELECT id FROM previous) THEN
            RAISE EXCEPTION 'the key of a regulated row cannot change'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        FOR act IN SELECT p.record_id AS cited, array_agg(p.id) AS keys,
                array_agg(o.record_id) AS earlier, array_agg({before}) AS before,
                array_agg({after}) AS after
                FROM present p JOIN previous o USING (id) GROUP BY p.record_id LOOP
            PERFORM ledger_check_told(
                '{label}', act.cited, act.keys, act.earlier, act.before, act.after);
        END LOOP;
    END IF;
    RETURN NULL;
END $guard$"""


# All rows of one statement that cite one record are held to it at once: its payload is read once.
CHECK_TOLD = """
CREATE OR REPLACE FUNCTION ledger_check_told(
    label text, cited uuid, keys uuid[], earlier uuid[], before jsonb[], after jsonb[])
RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $guard$
DECLARE
    written_in xid8;
    changes jsonb;
    told jsonb;
BEGIN
    SELECT transaction, payload::jsonb -> 'changes' INTO written_in, changes
        FROM audit_record WHERE id = cited;
    IF written_in IS NULL THEN
        RAISE EXCEPTION '% % cites record %, which does not exist', label, keys[1], cited
            USING ERRCODE = 'integrity_constraint_violation';
    ELSIF written_in <> pg_current_xact_id() THEN
        RAISE EXCEPTION '% % cites record %, which another transaction wrote',
            label, keys[1], cited USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    FOR place IN 1 .. cardinality(keys) LOOP
        -- Records of one transaction carry rising ids: an older one cannot be cited again.
        IF cited = earlier[place] OR (cited < earlier[place] AND EXISTS (
                SELECT FROM audit_record
                WHERE id = earlier[place] AND transaction = written_in)) THEN
            RAISE EXCEPTION 'record % has served this row already: each change needs its own',
                cited USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        told := jsonb_path_query_array(
            changes, '$[*] ? (@.subject.type == $type && @.subject.id == $id)',
            jsonb_build_object('type', label, 'id', keys[place]::text));
        IF jsonb_array_length(told) <> 1 THEN
            RAISE EXCEPTION 'record % tells of % % % times, not once',
                cited, label, keys[place], jsonb_array_length(told)
                USING ERRCODE = 'integrity_constraint_violation';
        ELSIF told -> 0 -> 'new' IS DISTINCT FROM after[place] THEN
            RAISE EXCEPTION '% % is not what record % says', label, keys[place], cited
                USING ERRCODE = 'integrity_constraint_violation', DETAIL = format(
                    'the row is %s, the record says %s', after[place], told -> 0 -> 'new');
        ELSIF coalesce(nullif(told -> 0 -> 'old', 'null'::jsonb), '{}'::jsonb)
                IS DISTINCT FROM coalesce(before[place], '{}'::jsonb) THEN
            RAISE EXCEPTION '% % was not before what record % says', label, keys[place], cited
                USING ERRCODE = 'integrity_constraint_violation', DETAIL = format(
                    'the row was %s, the record says %s', before[place], told -> 0 -> 'old');
        END IF;
    END LOOP;
END $guard$
"""
