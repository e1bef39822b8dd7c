"""How the guards stand, told from the ledger alone: what was expected, what was found, since when.

The owner of the tables records what is expected (``expect``: at the end of ``init_database``); any
process that may write records looks whether it still is so (``Watch``). The database lets nobody
but the owner write a record of what is expected.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, transaction
from django.utils import timezone

from audit import ledger
from audit.guards import fingerprints
from audit.guards.fingerprints import Difference, Facts
from audit.models import Record

STREAM = "guards"
RECORDED, CONFIRMED = "audit.guards.recorded", "audit.guards.confirmed"
CHANGED, RESTORED = "audit.guards.changed", "audit.guards.restored"
# Acts of retention close and remove partitions; their records say of which month.
RETENTION = ("audit.partition.archived", "audit.partition.dropped")
HOUR = 3600.0  # seconds between two records of a look that found nothing new
STALE = timedelta(seconds=HOUR + 300)  # without a look on record: nobody watches
MOST_TOLD = 40  # differences told in a record; the list of facts beside it has them all
LONGEST_TOLD = 240  # characters of a fact told in a record
MEDIA_TYPE = "application/json"

log = structlog.get_logger("guards")


@dataclass(frozen=True, slots=True)
class Standing:
    """How the guards stood at the last look on record."""

    state: str  # intact | changed | unwatched | unrecorded
    since: datetime | None = None
    looked_at: datetime | None = None
    record: Record | None = None
    differences: tuple[str, ...] = ()

    @property
    def is_alarm(self) -> bool:
        return self.state != "intact"

    def __str__(self) -> str:
        match self.state:
            case "intact":
                return "triggers, grants, functions and roles are as recorded"
            case "changed":
                return "changed against what was recorded: " + "; ".join(self.differences)
            case "unwatched":
                return "nobody has looked at the guards for more than an hour"
        return "no expectation is on record: run manage.py init_database"


def expect(*, by: Any, reason: str) -> Record | None:
    """Record the guards as they are now as what is expected; None when that is on record already.

    Only as the owner of the tables: the database refuses everybody else.
    """
    found = fingerprints.take()
    before = _last(RECORDED)
    if before is not None and not fingerprints.differences(facts_of(before), found):
        last = _last(*_LOOKS)
        if last is None or last.kind != CHANGED or last.pk < before.pk:
            return None
    with transaction.atomic():
        return _tell(
            RECORDED,
            found,
            actor=by,
            reason=reason,
            differences=fingerprints.differences(facts_of(before), found) if before else [],
        )


def facts_of(record: Record) -> Facts:
    """Return the list of facts that a record carries; raises ValueError for a damaged one."""
    if not ledger.is_intact(record):
        raise ValueError(f"record {record.pk} is not what its leaf was made of")
    kept = ledger.content(record)["blobs"]
    if not kept:
        raise ValueError(f"record {record.pk} could not keep its list")
    try:
        with transaction.atomic():
            facts: Facts = orjson.loads(ledger.get_blob(kept[0]))
    except (DatabaseError, ObjectDoesNotExist) as error:
        raise ValueError(f"the list of record {record.pk} cannot be read: {error}") from error
    return facts


def _tell(
    kind: str,
    facts: Facts,
    *,
    actor: Any = None,
    reason: str | None = None,
    differences: list[Difference] | None = None,
    expected: str | None = None,
) -> Record:
    told = differences or []
    return ledger.append(
        stream=STREAM,
        kind=kind,
        actor=actor,
        reason=reason,
        blobs=_kept(facts),
        data={
            "digest": fingerprints.digest(facts),
            "expected": expected,
            "facts": len(facts),
            "differing": len(told),
            "differences": [_as_told(one) for one in told[:MOST_TOLD]],
        },
    )


def _kept(facts: Facts) -> list[str]:
    """Keep the whole list beside the record; where that is refused the record still is written."""
    try:
        with transaction.atomic():
            return [ledger.put_blob(fingerprints.encode(facts), MEDIA_TYPE)]
    except DatabaseError as error:
        log.error("the list of guards could not be kept", error=str(error))
        return []


def _as_told(difference: Difference) -> dict[str, str | None]:
    return {
        "fact": difference.fact[:LONGEST_TOLD],
        "before": _short(difference.before),
        "after": _short(difference.after),
    }


def _short(says: Any) -> str | None:
    if says is None:
        return None
    text = orjson.dumps(says, option=orjson.OPT_SORT_KEYS).decode()
    return text if len(text) <= LONGEST_TOLD else text[: LONGEST_TOLD - 1] + "…"


def _last(*kinds: str) -> Record | None:
    return Record.objects.filter(stream=STREAM, kind__in=kinds).order_by("-id").first()


_LOOKS = (RECORDED, CONFIRMED, CHANGED, RESTORED)


def standing(now: datetime | None = None) -> Standing:
    """Return how the guards stand, from the last records of looks at them."""
    last = _last(*_LOOKS)
    if last is None or _last(RECORDED) is None:
        return Standing("unrecorded")
    moment = last.recorded_at
    if last.kind == CHANGED:
        told = ledger.content(last)["data"]["differences"]
        names = tuple(str(Difference(**one)) for one in told)
        return Standing("changed", _since(CHANGED), moment, last, names)
    if (now or timezone.now()) - moment > STALE:
        return Standing("unwatched", moment + timedelta(seconds=HOUR), moment, last)
    return Standing("intact", _since(*(kind for kind in _LOOKS if kind != CHANGED)), moment, last)


def _since(*kinds: str) -> datetime | None:
    """Return when the present run of records of these kinds began."""
    looks = Record.objects.filter(stream=STREAM, kind__in=_LOOKS)
    other = looks.exclude(kind__in=kinds).order_by("-id").first()
    run = looks.filter(id__gt=other.pk) if other is not None else looks
    first = run.order_by("id").first()
    return first.recorded_at if first is not None else None


class Watch:
    """Looks at the guards again and again; what it finds anew is a record, at once."""

    def __init__(self) -> None:
        self.told_at: float | None = None  # monotonic time of the last record of this process
        self.told: list[Difference] | None = None
        self.expected: tuple[Any, Facts] | None = None  # key of its record, and the list

    def look(self) -> Standing:
        """Compare the guards with what is expected, record what is new, and return the standing.

        The first look of a process is always on record, and one an hour; a change as soon as it
        is seen, and its end. Raises ValueError when the list of what is expected cannot be read.
        """
        expected = _last(RECORDED)
        if expected is None:
            log.warning("no guards are on record", what_to_do="run manage.py init_database")
            return Standing("unrecorded")
        found = fingerprints.take()
        differing = [
            one
            for one in fingerprints.differences(self._facts_of(expected), found)
            if not is_explained(one, since=expected)
        ]
        if self._is_due(differing):
            self._tell(expected, found, differing)
        return standing()

    def _facts_of(self, expected: Record) -> Facts:
        """Return the list of what is expected: read once, so that nobody can take it away later."""
        if self.expected is None or self.expected[0] != expected.pk:
            self.expected = (expected.pk, facts_of(expected))
        return self.expected[1]

    def _is_due(self, differing: list[Difference]) -> bool:
        new = differing != (self.told or [])
        return self.told_at is None or new or time.monotonic() - self.told_at >= HOUR

    def _tell(self, expected: Record, found: Facts, differing: list[Difference]) -> None:
        before = _last(*_LOOKS)
        was_changed = before is not None and before.kind == CHANGED
        kind = CHANGED if differing else RESTORED if was_changed else CONFIRMED
        if differing:
            log.error("guards have changed", differences=[str(one) for one in differing])
        elif was_changed:
            log.warning("guards are as recorded again")
        with transaction.atomic():
            _tell(
                kind,
                found,
                differences=differing,
                expected=ledger.content(expected)["data"]["digest"],
            )
        self.told_at, self.told = time.monotonic(), differing


def is_explained(difference: Difference, *, since: Record) -> bool:
    """Return whether an act of retention on record explains what became of a partition.

    It may close one (facts are added, none is changed or taken away) and remove one.
    """
    name = difference.fact.partition(":")[0].rpartition(" ")[2].rpartition("_")[2]
    if not difference.fact.startswith(fingerprints.PARTITION) or not name.isdigit():
        return False
    if difference.before is not None and difference.after is not None:
        return False
    kind = RETENTION[1] if difference.after is None else RETENTION[0]
    if (difference.after is None) != (":" not in difference.fact):
        return False
    acts = Record.objects.filter(kind=kind, id__gt=since.pk)
    months = (name, f"{name[:4]}-{name[4:]}")
    return any(any(month in act.payload for month in months) for act in acts)
