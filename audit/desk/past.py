"""What a subject was at a past moment, rebuilt from the records about it and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from audit import ledger
from audit.desk.scope import EVERYTHING, Scope
from audit.desk.search import Search
from audit.guards import trust
from audit.models import Record
from audit.trail import Filters

PAGE = 500
Told = tuple[Record, Any, Any]  # record, old, new


class History(NamedTuple):
    """What the ledger tells of a subject, oldest first; ``altered`` may tell nothing any more."""

    told: list[Told]
    altered: list[Record]


@dataclass(frozen=True, slots=True)
class Then:
    """A subject at a moment: its state (None: there was none) and the record that made it so.

    ``unjoined`` are records that do not follow from what was before them: the ledger tells of a
    change from a state that the subject did not have. ``altered`` are records about it that were
    altered after they were recorded: what they tell now is not used.
    """

    type: str
    id: str
    moment: datetime
    state: dict[str, Any] | None
    record: Record | None
    unjoined: tuple[Record, ...] = ()
    is_cut: bool = False  # its first records are not in this ledger (any more)
    altered: tuple[Record, ...] = ()


def as_of(kind: str, key: str, moment: datetime, *, scope: Scope = EVERYTHING) -> Then:
    """Return a subject as the ledger tells it of records up to and including ``moment``."""
    whole = history(kind, key, scope=scope)
    told = [each for each in whole.told if each[0].recorded_at <= moment]
    altered = tuple(one for one in whole.altered if one.recorded_at <= moment)
    return replace(settled(kind, key, moment, told), altered=altered)


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


def history(kind: str, key: str, *, scope: Scope = EVERYTHING) -> History:
    """Return every change of a subject."""
    told: list[Told] = []
    altered: list[Record] = []
    for records in _pages(kind, key, scope):
        doubtful = trust.untrusted(records)
        altered += [record for record in records if record.pk in doubtful]
        sound = (record for record in records if record.pk not in doubtful)
        told += [each for record in sound for each in _changes(record, kind, key)]
    return History(told[::-1], altered[::-1])


def _pages(kind: str, key: str, scope: Scope) -> Iterator[list[Record]]:
    search, last = Search(Filters(subject_type=kind, subject=key), scope=scope), None
    while True:
        page = search.page(PAGE, before=last)
        records = Record.objects.in_bulk([hit.record_id for hit in page.hits])
        # the index may still name one that was dropped since
        yield [records[hit.record_id] for hit in page.hits if hit.record_id in records]
        if not page.has_more:
            return
        last = page.hits[-1].record_id


def _changes(record: Record, kind: str, key: str) -> Iterator[Told]:
    for change in reversed(ledger.content(record)["changes"]):
        if change["subject"] == {"type": kind, "id": key}:
            yield record, change["old"], change["new"]
