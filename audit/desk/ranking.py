"""Ranking the entries of a period: what a reviewer reads, and what was left out of it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.conf import settings
from django.db import connection

from audit.desk import indexing
from audit.desk.rules import Entry, Matcher, Rules
from audit.refusals import Refused

MOST = 1_000  # ranked entries that one review holds
READ = 2_000
FORMAT = 1
# Sealed records in sequence order, of the blocks that may hold some of the period: the index knows
# which times each run of rows spans; what it does not hold yet is read in full.
ENTRIES = """
SELECT record.id, block.first_sequence - 1 + row_number() OVER (
        PARTITION BY block.number ORDER BY record.transaction, record.id),
    record.kind, record.stream, record.recorded_at, record.payload
FROM audit_block block
JOIN audit_record record ON record.transaction >= block.transaction_from
    AND record.transaction < block.transaction_below
WHERE block.number = ANY(%s)
ORDER BY block.number, record.transaction, record.id
"""
BLOCKS = """
SELECT number FROM audit_block WHERE first_sequence + count > %(end)s + 1
UNION
SELECT block.number FROM audit_searchbucket bucket
JOIN audit_block block ON block.first_sequence < (bucket.number::bigint + 1) << 14
    AND block.first_sequence + block.count > bucket.number::bigint << 14
WHERE bucket.recorded_to >= %(since)s AND bucket.recorded_from < %(until)s
ORDER BY number
"""


class RankingRefused(Refused):
    """A period that cannot be ranked; the person is told what to do."""

    act = "audit.review"
    what_to_do = "Choose a shorter period, or one batch."


@dataclass(frozen=True, slots=True)
class Ranked:
    """An entry that reached the threshold."""

    id: str
    sequence: int
    score: int
    rules: tuple[str, ...]

    def as_told(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "sequence": self.sequence,
            "score": self.score,
            "rules": list(self.rules),
        }


@dataclass(slots=True)
class Ranking:
    """What came of a period. Own acts are left out before any rule is asked."""

    seen: int = 0
    own_acts: int = 0
    ranked: list[Ranked] = field(default_factory=list)
    below: Counter[str] = field(default_factory=Counter)  # kind: entries under the threshold

    def as_told(self, **facts: Any) -> dict[str, Any]:
        """Return the ranking as it is kept under its digest."""
        return {
            "v": FORMAT,
            **facts,
            "seen": self.seen,
            "own_acts": self.own_acts,
            "ranked": [each.as_told() for each in self.ranked],
            "left_out": dict(sorted(self.below.items())),
        }


def rank(
    entries: Iterable[Entry],
    rules: Rules,
    *,
    reviewer: str,
    of_person: str | None = None,
    zone: ZoneInfo | None = None,
) -> Ranking:
    """Rank entries in their order; the highest score first, within it the oldest.

    ``reviewer`` is the key of the person who will read them; ``of_person`` asks for that person's
    acts alone. Raises RankingRefused when there are more than one can read.
    """
    matcher = Matcher(rules, zone or ZoneInfo(settings.SITE_TIME_ZONE))
    made = Ranking()
    for entry in entries:
        if of_person is not None and entry.actor != ("person", of_person):
            continue
        if entry.actor == ("person", reviewer):
            made.own_acts += 1
            continue
        made.seen += 1
        met = matcher.met(entry)
        score = sum(rule.weight for rule in met)
        if score < rules.threshold:
            made.below[entry.kind] += 1
            continue
        names = tuple(rule.id for rule in met)
        made.ranked.append(Ranked(entry.id, entry.sequence, score, names))
        if len(made.ranked) > MOST:
            raise RankingRefused(f"more than {MOST} entries are ranked: nobody reads so many")
    made.ranked.sort(key=lambda each: (-each.score, each.sequence))
    return made


def entries_of(since: datetime, until: datetime, stream: str, cut: int) -> Iterator[Entry]:
    """Yield a period's sealed entries before sequence ``cut``, of one stream if it is named."""
    with connection.cursor() as cursor:
        asked: dict[str, Any] = {"since": since, "until": until, "end": indexing.mark().sequence}
        cursor.execute(BLOCKS, asked)
        blocks = [number for (number,) in cursor.fetchall()]
        for start in range(0, len(blocks), READ // 10):
            cursor.execute(ENTRIES, [blocks[start : start + READ // 10]])
            for key, sequence, kind, name, at, payload in cursor.fetchall():
                if since <= at < until and sequence < cut and stream in ("", name):
                    yield Entry(str(key), sequence, kind, at, orjson.loads(payload))
