"""What a subject was at a past moment, rebuilt from the records about it and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from audit import ledger
from audit.desk.scope import EVERYTHING, Scope
from audit.desk.search import Search
from audit.models import Record
from audit.trail import Filters

PAGE = 500
Told = tuple[Record, Any, Any]  # record, old, new


@dataclass(frozen=True, slots=True)
class Then:
    """A subject at a moment: its state (None: there was none) and the record that made it so.

    ``unjoined`` are records that do not follow from what was before them: the ledger tells of a
    change from a state that the subject did not have.
    """

    type: str
    id: str
    moment: datetime
    state: dict[str, Any] | None
    record: Record | None
    unjoined: tuple[Record, ...] = ()
    is_cut: bool = False  # its first records are not in this ledger (any more)


def as_of(kind: str, key: str, moment: datetime, *, scope: Scope = EVERYTHING) -> Then:
    """Return a subject as the ledger tells it of records up to and including ``moment``."""
    told = [each for each in history(kind, key, scope=scope) if each[0].recorded_at <= moment]
    return settled(kind, key, moment, told)


def settled(kind: str, key: str, moment: datetime, told: list[Told]) -> Then:
    """Return what the changes ``told`` lead to; where two were recorded in another order than they
    took effect, what follows from what decides, as in ``state.rebuild``. Where no record tells of
    its beginning, the first one's word for what was before it is taken, and said to be.
    """
    is_cut = bool(told) and all(old for _, old, _ in told)
    state: Any = told[0][1] if is_cut else None
    record: Record | None = None
    waiting = list(told)
    while (step := next((each for each in waiting if _same(each[1], state)), None)) is not None:
        waiting.remove(step)
        record, _, state = step
        state = state or None
    return Then(kind, key, moment, state, record, tuple(each[0] for each in waiting), is_cut)


def _same(left: Any, right: Any) -> bool:
    sort = orjson.OPT_SORT_KEYS
    return orjson.dumps(left or None, option=sort) == orjson.dumps(right or None, option=sort)


def history(kind: str, key: str, *, scope: Scope = EVERYTHING) -> list[Told]:
    """Return every change of a subject, oldest first: (record, old, new)."""
    found = [each for record in _records(kind, key, scope) for each in _changes(record, kind, key)]
    return found[::-1]


def _records(kind: str, key: str, scope: Scope) -> Iterator[Record]:
    search, last = Search(Filters(subject_type=kind, subject=key), scope=scope), None
    while True:
        page = search.page(PAGE, before=last)
        records = Record.objects.in_bulk([hit.record_id for hit in page.hits])
        for hit in page.hits:
            if hit.record_id in records:  # the index may still name one that was dropped since
                yield records[hit.record_id]
        if not page.has_more:
            return
        last = page.hits[-1].record_id


def _changes(record: Record, kind: str, key: str) -> Iterator[Told]:
    for change in reversed(ledger.content(record)["changes"]):
        if change["subject"] == {"type": kind, "id": key}:
            yield record, change["old"], change["new"]
