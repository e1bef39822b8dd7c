"""One act, one record, one statement: all changes of an act are collected and written together.

    with acts.act(stream="batch/B-0042", kind="twin_core.batch.closed", reason=reason) as act:
        act.change(batch, state="closed")
        act.create(note)

The record and every row go to the database in a single statement, so that an act of many rows
costs one round trip and is whole or not at all, inside a transaction and outside.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import psycopg
from django.db import connection, models

from audit import ledger
from audit.models import Record
from audit.regulated import RegulatedModel


class RowMissing(Exception):
    """A row to be changed is not there: nothing of the act was written."""


@dataclass(slots=True)
class Act:
    """What is to be told by one record, and the rows that it changes; ``record`` afterwards."""

    changes: list[ledger.Change] = field(default_factory=list)
    created: dict[type[RegulatedModel], list[RegulatedModel]] = field(default_factory=dict)
    changed: dict[tuple[Any, ...], list[RegulatedModel]] = field(default_factory=dict)
    record: Record | None = None

    def create(self, row: RegulatedModel) -> None:
        """Write a new row."""
        self.changes.append((row, None, row.state_fields()))
        self.created.setdefault(type(row), []).append(row)

    def change(self, row: RegulatedModel, **values: Any) -> None:
        """Give a row that was read new values; each row once an act."""
        old = row.state_fields()
        for name, value in values.items():
            setattr(row, name, value)
        self.changes.append((row, old, row.state_fields()))
        self.changed.setdefault((type(row), *values), []).append(row)

    def write(self, payload: str, *, stream: str, kind: str) -> Record:
        """Write the record and all rows; raises RowMissing where one is not there to change."""
        parts, arguments, found = [], [stream, kind, payload], []
        for model, rows in self.created.items():
            parts.append(_insertion(model, len(rows) > 1))
            arguments += _arguments(_fields(model), rows)
        for (model, *names), rows in self.changed.items():
            parts.append(_update(model, tuple(names), len(rows) > 1))
            arguments += _arguments(_fields(model, tuple(names)), rows)
            found += [len(rows), model._meta.verbose_name]
        row = _execute(_statement(tuple(parts), len(self.created)), arguments + found)
        self.record = ledger.record_of(stream, kind, payload, row[:4])
        for each in (*self.created.values(), *self.changed.values()):
            for written in each:
                written.record, written._state.adding = self.record, False
        return self.record


@contextmanager
def act(*, stream: str, kind: str, **told: Any) -> Iterator[Act]:
    """Collect the changes of one act and write them at the end of the block.

    ``told`` is what ``ledger.append`` takes beside: actor, reason, parents, blobs, data,
    occurred_at. Nothing is written when the block is left by an exception.
    """
    collected = Act()
    yield collected
    told["parents"] = list(told.get("parents", ()))  # read twice: asked for, and told
    ledger.require_known(kind, told["parents"])
    payload = ledger.payload_of(stream=stream, kind=kind, changes=collected.changes, **told)
    before = datetime.now(UTC)
    with connection.wrap_database_errors:
        record = collected.write(payload, stream=stream, kind=kind)
    ledger.compare_clocks(before, record)


def _execute(statement: str, arguments: list[Any]) -> tuple[Any, ...]:
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        try:
            row = cursor.execute(statement, arguments, prepare=True, binary=True).fetchone()
        except psycopg.errors.NoDataFound as error:
            raise RowMissing(error.diag.message_primary) from error
    assert row is not None
    return row


@cache
def _statement(parts: tuple[str, ...], created: int) -> str:
    """Return the statement of an act: its record, then ``created`` insertions, then updates."""
    names = [f"rows_{number}" for number in range(len(parts))]
    written = "".join(f", {name} AS ({part})" for name, part in zip(names, parts, strict=True))
    found = "".join(
        f", ledger_require_found((SELECT count(*) FROM {name}), %s, %s)" for name in names[created:]
    )
    return f"WITH record AS ({ledger.INSERT}){written} SELECT record.*{found} FROM record"


@cache
def _insertion(model: type[RegulatedModel], many: bool) -> str:
    table, fields = model._meta.db_table, _fields(model)
    return (
        f"INSERT INTO {table} ({_names(fields)}, record_id) SELECT given.*, record.id "
        f"FROM record, {_given(fields, many)} RETURNING 1"
    )


@cache
def _update(model: type[RegulatedModel], names: tuple[str, ...], many: bool) -> str:
    fields = _fields(model, names)
    changed = ", ".join(f'"{each.column}" = given."{each.column}"' for each in fields[1:])
    return (
        f"UPDATE {model._meta.db_table} row SET {changed}, record_id = record.id "
        f"FROM record, {_given(fields, many)} WHERE row.id = given.id RETURNING 1"
    )


@cache
def _fields(model: type[RegulatedModel], names: tuple[str, ...] = ()) -> tuple[Any, ...]:
    """Return the key and the columns that are written: all but the citation, or those named."""
    if names:
        return (model._meta.pk, *(model._meta.get_field(name) for name in names))
    return tuple(each for each in model._meta.concrete_fields if each.attname != "record_id")


def _names(fields: Iterable[Any]) -> str:
    return ", ".join(f'"{each.column}"' for each in fields)


def _given(fields: Iterable[Any], many: bool) -> str:
    """Return the rows to write as a table: arrays of columns, or one row of values."""
    types = [(each.db_type(connection) or "").split("(")[0] for each in fields]
    if many:
        return f"unnest({', '.join(f'%s::{sort}[]' for sort in types)}) AS given({_names(fields)})"
    return f"(VALUES ({', '.join(f'%s::{sort}' for sort in types)})) AS given({_names(fields)})"


def _arguments(fields: Iterable[Any], rows: list[RegulatedModel]) -> list[Any]:
    columns = [[_stored(each, getattr(row, each.attname)) for row in rows] for each in fields]
    return columns if len(rows) > 1 else [column[0] for column in columns]


def _stored(field: Any, value: Any) -> Any:
    if isinstance(field, models.DateTimeField) and isinstance(value, datetime):
        return value
    return field.get_db_prep_save(value, connection)
