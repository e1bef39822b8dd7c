"""Regulated rows recreated from the ledger alone, and compared with the tables.

Each record tells what a row was before and after; a row's history is the chain of these. Where
two records of one row were written in another order than they took effect, the chain and not
the clock decides.

Where months were dropped after their time, their bundles tell their part when they are given.
Without them a row whose history begins in a dropped month is held to what the records still here
say of it, from the first of them on; one whose last record was dropped is counted, not compared.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from django.apps import apps

from audit.models import DroppedRecord, Record
from audit.regulated import RegulatedModel
from audit.retention.citation import is_dropped
from audit.retention.reading import archived_records

if TYPE_CHECKING:
    from audit.desk.past import Then

CHUNK = 1000  # records, rows
Subject = tuple[str, str]  # type, key
ABSENT = "(no row)"


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where a table is not what the ledger says."""

    table: str
    key: str
    column: str
    in_table: Any
    in_ledger: Any

    def __str__(self) -> str:
        where = f"{self.table} {self.key} {self.column}"
        return f"{where}: the table has {self.in_table!r}, the ledger {self.in_ledger!r}"


@dataclass(slots=True)
class Row:
    """A row as far as its history was read: state and citing record, and what waits for its turn.

    The state is kept as sorted JSON: it is compared often and opened seldom.
    """

    state: bytes = b"null"
    record_id: str | None = None
    is_whole: bool = True  # its history begins where the row began
    waiting: list[tuple[bytes, bytes, str]] = field(default_factory=list)

    def take(self, old: bytes, new: bytes, record_id: str) -> None:
        """Apply a change that follows from the state, and then those that waited for it."""
        self.waiting.append((old, new, record_id))
        while (step := self._next()) is not None:
            self.waiting.remove(step)
            _, self.state, self.record_id = step

    def begin_late(self) -> None:
        """Start from what the earliest change still told found, as what went before is dropped."""
        if self.record_id is not None or not self.waiting:
            return
        made = {new for _, new, _ in self.waiting}
        olds = [old for old, _, _ in self.waiting if old not in made] or [self.waiting[0][0]]
        self.state, self.is_whole = olds[0], False
        while (step := self._next()) is not None:
            self.waiting.remove(step)
            _, self.state, self.record_id = step

    def _next(self) -> tuple[bytes, bytes, str] | None:
        return next((step for step in self.waiting if step[0] == self.state), None)


def regulated_models() -> list[type[RegulatedModel]]:
    """Return every regulated table's model, in a fixed order."""
    found = [model for model in apps.get_models() if issubclass(model, RegulatedModel)]
    return sorted(found, key=lambda model: model._meta.label_lower)


def differences(
    progress: Callable[[int], Any] = lambda count: None,
    *,
    archives: Sequence[Path] = (),
    resting: Callable[[str, str], Any] = lambda table, key: None,
) -> Iterator[Difference]:
    """Yield each place where a regulated table differs from what the ledger tells.

    ``progress`` is called with the number of records or rows just read, ``resting`` with each row
    that only an archive could tell of and none of ``archives`` does. Run it inside one REPEATABLE
    READ transaction, or acts that happen meanwhile may show.
    """
    models = {model._meta.label_lower: model for model in regulated_models()}
    rows = rebuild(set(models), progress, archives=archives)
    for label, model in models.items():
        yield from _compare(model, label, rows, progress, resting)
    yield from _missing(models, rows)


def rebuild(
    types: set[str], progress: Callable[[int], Any], *, archives: Sequence[Path] = ()
) -> dict[Subject, Row]:
    """Return every regulated row as the ledger tells it; nothing is read from their tables."""
    rows: dict[Subject, Row] = {}
    live = Record.objects.order_by("id").values_list("id", "payload").iterator(chunk_size=CHUNK)
    for identity, payload in chain(archived_records(archives), live):
        for change in orjson.loads(payload)["changes"]:
            subject = change["subject"]
            if subject["type"] in types:
                row = rows.setdefault((subject["type"], subject["id"]), Row())
                row.take(_text(change["old"]), _text(change["new"]), str(identity))
        progress(1)
    if DroppedRecord.objects.exists():
        for row in rows.values():
            row.begin_late()
    return rows


def _text(state: Any) -> bytes:
    return orjson.dumps(state or None, option=orjson.OPT_SORT_KEYS)


def _compare(
    model: type[RegulatedModel],
    label: str,
    rows: dict[Subject, Row],
    progress: Callable[[int], Any],
    resting: Callable[[str, str], Any],
) -> Iterator[Difference]:
    table = model._meta.db_table
    for found in model._default_manager.order_by("pk").iterator(chunk_size=CHUNK):
        progress(1)
        key = str(found.pk)
        told = rows.pop((label, key), None)
        if told is None and is_dropped(found.record):
            resting(table, key)
            continue
        if told is None:
            yield Difference(table, key, "id", "a row", "no such row")
            continue
        yield from _unjoined(table, key, told)
        state = orjson.loads(told.state) or {}
        for column, value in found.state_fields().items():
            if value != state.get(column):
                yield Difference(table, key, column, value, state.get(column))
        if str(found.record_id) != told.record_id:
            yield Difference(table, key, "record_id", str(found.record_id), told.record_id)


def _unjoined(table: str, key: str, told: Row) -> Iterator[Difference]:
    for old, _, record_id in told.waiting:
        was = f"changed by record {record_id} from {old.decode()}"
        yield Difference(table, key, "history", told.state.decode(), was)


def _missing(
    models: dict[str, type[RegulatedModel]], rows: dict[Subject, Row]
) -> Iterator[Difference]:
    for (label, key), told in sorted(rows.items()):
        yield Difference(models[label]._meta.db_table, key, "id", ABSENT, told.state.decode())


def as_of(kind: str, key: str, moment: datetime) -> "Then":
    """Return what a subject was at a moment, from the ledger alone; see ``audit.desk.past``."""
    from audit.desk import past

    return past.as_of(kind, key, moment)
