"""Finding records: the newest, not indexed yet, are read themselves; older ones by the index.

The order is that of the ledger: unsealed records last, by (transaction, id). Robust against a
planner's guesses: the newest rows are walked, at most ``WALK`` of them; then bucket after bucket
is asked by one index alone, which answers all filters at once, until the page is full.

Statements are put together of conditions that stand in ``conditions``; every value is bound.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from audit.desk import indexing
from audit.desk.conditions import Conditions, SearchRefused, conditions_of
from audit.desk.indexing import BUCKET, Mark
from audit.desk.scope import EVERYTHING, Scope

WALK = 1_000  # newest rows that are looked through before the index is asked
COUNTED = 500  # up to here what fits is counted, beyond it is estimated
SAMPLES, SAMPLE = 40, 250  # stretches of successive rows, and their length
FEWEST_HITS = 10  # in the samples, for an estimate that deserves the name
BEYOND = 1 << 62  # a sequence that no record reaches


class Hit(NamedTuple):
    """A record found; ``sequence`` is None for one that the index does not hold yet."""

    record_id: UUID
    sequence: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits, newest first, and whether there are more in the direction asked."""

    hits: tuple[Hit, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Count:
    """How many records fit: exactly, about, or ("more than") at least."""

    number: int
    precision: str = "exact"  # exact | about | more

    def __str__(self) -> str:
        return {"exact": "", "about": "about ", "more": "more than "}[self.precision] + (
            f"{self.number:,}".replace(",", "\N{THIN SPACE}")
        )


class Place(NamedTuple):
    """Where a record stands: by sequence within the index, else by (transaction, id)."""

    sequence: int | None
    transaction: int
    record_id: UUID


@dataclass(frozen=True, slots=True)
class Bucket:
    number: int
    count: int
    recorded_from: datetime
    recorded_to: datetime


class Search:
    """One question, asked against the index as it stood at its beginning."""

    def __init__(self, filters: Any, *, scope: Scope = EVERYTHING) -> None:
        self.filters = filters
        self.conditions: Conditions = conditions_of(filters, scope)
        self.mark: Mark = indexing.mark()
        self.buckets = [bucket for bucket in _buckets() if self._may_hold(bucket)]
        self.newest: list[Hit] | None = None  # of the first page with one more, once it was asked
        self.has_more = False

    def _may_hold(self, bucket: Bucket) -> bool:
        since, until = self.filters.since, self.filters.until
        return (not since or bucket.recorded_to >= since) and (
            not until or bucket.recorded_from < until
        )

    def page(self, size: int, *, before: UUID | None = None, after: UUID | None = None) -> Found:
        """Return up to ``size`` hits older than ``before`` or newer than ``after``: record keys."""
        if after is not None:
            hits = self._ascending(size + 1, self.place_of(after))
            return Found(tuple(hits[:size][::-1]), len(hits) > size)
        hits = self._descending(size + 1, self.place_of(before) if before else None)
        if before is None:
            self.newest, self.has_more = hits, len(hits) > size
        return Found(tuple(hits[:size]), len(hits) > size)

    def place_of(self, record_id: UUID) -> Place:
        """Return where a record stands. Raises SearchRefused when there is none of that key."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT row.sequence, record.transaction::text, record.id FROM audit_record record "
                "LEFT JOIN audit_searchrow row ON row.record_id = record.id AND row.sequence <= %s "
                "WHERE record.id = %s",
                [self.mark.sequence, record_id],
            )
            found = cursor.fetchone()
        if found is None:
            raise SearchRefused(
                f"no record has the key {record_id}",
                what_to_do="Go back to the first page of the trail.",
            )
        return Place(found[0], int(found[1]), found[2])

    def _descending(self, limit: int, start: Place | None) -> list[Hit]:
        hits: list[Hit] = []
        if start is None or start.sequence is None:
            hits = self._fresh(limit, below=start)
        if len(hits) < limit:
            top = start.sequence if start and start.sequence is not None else BEYOND
            hits += self._indexed(limit - len(hits), below=top)
        return hits

    def _ascending(self, limit: int, start: Place) -> list[Hit]:
        hits: list[Hit] = []
        if start.sequence is not None:
            hits = self._indexed(limit, above=start.sequence)
        if len(hits) < limit:
            above = start if start.sequence is None else None
            hits += self._fresh(limit - len(hits), above=above, newest_first=False)
        return hits

    # ------------------------------------------------------------ not indexed
    def _fresh(
        self,
        limit: int,
        *,
        below: Place | None = None,
        above: Place | None = None,
        newest_first: bool = True,
    ) -> list[Hit]:
        """Return hits among the records after the index's end, read themselves."""
        asked, values = list(self.conditions.fresh), list(self.conditions.fresh_values)
        for place, sign in ((below, "<"), (above, ">")):
            if place is not None:
                asked.append(f"(record.transaction, record.id) {sign} (%s::text::xid8, %s)")
                values += [str(place.transaction), place.record_id]
        order = "DESC" if newest_first else "ASC"
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT record.id FROM audit_record record "  # noqa: S608
                "CROSS JOIN LATERAL (SELECT record.payload::jsonb AS told) AS parsed "
                "WHERE (record.transaction, record.id) > (%s::text::xid8, %s) "
                f"{_and(asked)} "
                f"ORDER BY record.transaction {order}, record.id {order} LIMIT %s",
                [str(self.mark.transaction), self.mark.record_id, *values, limit],
            )
            return [Hit(identity, None) for (identity,) in cursor.fetchall()]

    # ---------------------------------------------------------------- indexed
    def _indexed(self, limit: int, *, below: int = BEYOND, above: int = -1) -> list[Hit]:
        """Return hits with above < sequence < below: the newest, or the oldest if ``above``."""
        below = min(below, self.mark.sequence + 1)
        newest_first = above < 0
        if self.conditions.pinned is not None:
            return self._pinned(limit, below, above, newest_first)
        numbers = [bucket.number for bucket in self.buckets]
        numbers = [n for n in numbers if n * BUCKET < below and (n + 1) * BUCKET > above + 1]
        if not numbers:
            return []
        hits: list[Hit] = []
        if newest_first and self.conditions.found:
            below = min(below, (max(numbers) + 1) * BUCKET)
            hits = self._stretch(limit, below - WALK, below)
            below -= WALK
        if len(hits) < limit:
            numbers = sorted((n for n in numbers if n * BUCKET < below), reverse=newest_first)
            hits += self._by_bucket(limit - len(hits), numbers, (above + 1, below), newest_first)
        return hits

    def _stretch(self, limit: int, low: int, high: int) -> list[Hit]:
        """Return the newest hits with low <= sequence < high, row by row."""
        asked, values = self._both()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT record_id, sequence FROM (SELECT * FROM audit_searchrow "  # noqa: S608
                "WHERE sequence >= %s AND sequence < %s ORDER BY sequence DESC OFFSET 0) AS newest "
                f"WHERE true {_and(asked)} "
                "ORDER BY sequence DESC LIMIT %s",
                [low, high, *values, limit],
            )
            return [Hit(*row) for row in cursor.fetchall()]

    def _by_bucket(
        self, limit: int, numbers: list[int], within: tuple[int, int], newest_first: bool
    ) -> list[Hit]:
        """Return hits bucket by bucket, in the order of ``numbers``, until there are enough."""
        order = "DESC" if newest_first else "ASC"
        conditions = self.conditions
        if conditions.found:  # all that fit in the bucket by the one index, then put in order
            inner = (
                "WITH fitting AS MATERIALIZED (SELECT record_id, sequence, recorded_at "  # noqa: S608
                "FROM audit_searchrow WHERE bucket = asked.number "
                f"{_and(conditions.found)}) SELECT record_id, sequence FROM fitting "
            )
        else:
            inner = "SELECT record_id, sequence FROM audit_searchrow "
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT hit.record_id, hit.sequence "  # noqa: S608
                "FROM unnest(%s::integer[]) AS asked (number) CROSS JOIN LATERAL ("
                f"{inner} WHERE sequence >= greatest(%s, asked.number::bigint << 14) "
                "AND sequence < least(%s, (asked.number::bigint + 1) << 14) "
                f"{_and(conditions.bounds)} ORDER BY sequence {order} LIMIT %s) AS hit LIMIT %s",
                [
                    numbers,
                    *conditions.found_values,
                    *within,
                    *conditions.bound_values,
                    limit,
                    limit,
                ],
            )
            hits = [Hit(*row) for row in cursor.fetchall()]
        return sorted(hits, key=lambda hit: hit.sequence or 0, reverse=newest_first)

    def _pinned(self, limit: int, below: int, above: int, newest_first: bool) -> list[Hit]:
        """Return hits among the few records that are in question at all."""
        asked, values = self._both()
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH few AS MATERIALIZED ("  # noqa: S608
                "SELECT * FROM audit_searchrow WHERE record_id = ANY(%s::uuid[])) "
                "SELECT record_id, sequence FROM few WHERE sequence > %s AND sequence < %s "
                f"{_and(asked)} "
                f"ORDER BY sequence {'DESC' if newest_first else 'ASC'} LIMIT %s",
                [list(self.conditions.pinned or ()), above, below, *values, limit],
            )
            return [Hit(*row) for row in cursor.fetchall()]

    def _both(self) -> tuple[list[str], list[Any]]:
        made = self.conditions
        return [*made.found, *made.bounds], [*made.found_values, *made.bound_values]

    # ------------------------------------------------------------------ count
    def count(self) -> Count:
        """Return how many records fit: exact up to ``COUNTED`` and where no row need be read.

        Goes on from the first page, where that was asked: what it took to find it is not repeated.
        """
        made = self.conditions
        if not (made.fresh or made.pinned):
            return Count(sum(bucket.count for bucket in self.buckets) + self._waiting())
        known = self.newest or []
        if known and len(known) <= COUNTED and self.has_more:
            last = self._place_of_hit(known[-1])
            known = [*known, *self._descending(COUNTED + 1 - len(known), last)]
        elif self.newest is None:
            known = self._descending(COUNTED + 1, None)
        return Count(len(known)) if len(known) <= COUNTED else self._estimate()

    def _place_of_hit(self, hit: Hit) -> Place:
        if hit.sequence is None:
            return self.place_of(hit.record_id)
        return Place(hit.sequence, 0, hit.record_id)

    def _waiting(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM audit_record WHERE (transaction, id) > (%s::text::xid8, %s)",
                [str(self.mark.transaction), self.mark.record_id],
            )
            return cursor.fetchone()[0]

    def _estimate(self) -> Count:
        """Return what evenly spread samples of the buckets in question lead to expect."""
        rows = sum(bucket.count for bucket in self.buckets)
        step = max(1, rows // SAMPLES)
        starts = [self._row_at(place) for place in range(0, rows, step)][:SAMPLES]
        asked, values = self._both()
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*), count(*) FILTER (WHERE true {_and(asked)}) "  # noqa: S608
                "FROM unnest(%s::bigint[]) AS sample (start) CROSS JOIN LATERAL ("
                "SELECT * FROM audit_searchrow WHERE sequence >= sample.start "
                "AND sequence < sample.start + %s OFFSET 0) AS row",
                [*values, starts, min(step, SAMPLE)],
            )
            read, hits = cursor.fetchone()
        if hits < FEWEST_HITS:
            return Count(COUNTED, "more")
        return Count(max(COUNTED, _rounded(hits / read * rows)), "about")

    def _row_at(self, place: int) -> int:
        """Return the sequence of a row by its place among the buckets in question."""
        for bucket in self.buckets:
            if place < bucket.count:
                return bucket.number * BUCKET + place
            place -= bucket.count
        return self.mark.sequence


def _rounded(number: float) -> int:
    """Return a number with two significant digits: an estimate claims no more."""
    return int(float(f"{number:.1e}"))


def _buckets() -> list[Bucket]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT number, count, recorded_from, recorded_to FROM audit_searchbucket "
            "ORDER BY number"
        )
        return [Bucket(*row) for row in cursor.fetchall()]


def _and(conditions: Iterable[str]) -> str:
    return "".join(f" AND {one}" for one in conditions)
