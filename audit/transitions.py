"""A state column that the database lets move only along its table."""

from collections.abc import Iterable

from django.db import models

from audit.operations import TableOperation

Pairs = Iterable[tuple[str, str]]


class Transitions(TableOperation):
    """Refuse every change of a state column that its lifecycle table does not hold.

    ``Transitions("recommendation", column="state", start=["proposed"], pairs=[("proposed",
    "approved"), ...])``. The table lives in pure code; the migration passes it on. A row may be
    rewritten in its state; it begins in one of ``start``.
    """

    def forwards(self, model: type[models.Model]) -> Iterable[str]:
        table, column = model._meta.db_table, self.options["column"]
        name = f"{table}_{column}_moves"
        yield _function(name, column, self.options["start"], self.options["pairs"])
        yield f"DROP TRIGGER IF EXISTS {name} ON {table}"
        yield (
            f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {name}()"
        )
        yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"

    def backwards(self, model: type[models.Model]) -> Iterable[str]:
        table, column = model._meta.db_table, self.options["column"]
        yield f"DROP TRIGGER IF EXISTS {table}_{column}_moves ON {table}"
        yield f"DROP FUNCTION IF EXISTS {table}_{column}_moves()"


def _function(name: str, column: str, start: Iterable[str], pairs: Pairs) -> str:
    begins = ", ".join(_text(state) for state in sorted(start))
    moves = ", ".join(f"({_text(a)}, {_text(b)})" for a, b in sorted(set(pairs)))
    return f"""
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW."{column}" NOT IN ({begins}) THEN
            RAISE EXCEPTION '% does not begin as %', TG_TABLE_NAME, NEW."{column}"
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    ELSIF NEW."{column}" <> OLD."{column}"
            AND (OLD."{column}"::text, NEW."{column}"::text) NOT IN (VALUES {moves}) THEN
        RAISE EXCEPTION '% cannot go from % to %', TG_TABLE_NAME, OLD."{column}", NEW."{column}"
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $guard$"""


def _text(state: str) -> str:
    return "'" + str(state).replace("'", "''") + "'"
