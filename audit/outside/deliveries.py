"""Bringing published checkpoints to the stores outside: in order, tried again, none forgotten."""

import time
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from pathlib import Path

import structlog
from django.db.models import Max
from django.utils import timezone

from audit.models import Delivery
from audit.outside import policy as policies
from audit.outside.alarms import Outage
from audit.outside.publishing import published
from audit.outside.stores import Store, StoreFailed

FAILED, RESUMED = "audit.delivery.failed", "audit.delivery.resumed"
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before a store that failed is tried again
AT_ONCE = 50  # checkpoints brought to one store in one step

log = structlog.get_logger("deliveries")


class Deliverer:
    """Brings what is due to one store; ``step`` it about once a second."""

    def __init__(self, store: Store, policy_file: Path) -> None:
        self.store, self.policy_file = store, policy_file
        self.alarm = Outage(begun=FAILED, ended=RESUMED, what=store.name)
        self.pause = self.not_before = 0.0  # seconds; monotonic

    def step(self) -> None:
        """Bring what is due; after a failure only when its pause is over."""
        if time.monotonic() >= self.not_before:
            self._bring()

    def _bring(self) -> None:
        kept = None
        try:
            for size, note in self._due(self.store):
                self.store.keep(note)
                kept = size
        except StoreFailed as error:
            self.pause = min(max(2 * self.pause, FIRST_PAUSE), LONGEST_PAUSE)
            self.not_before = time.monotonic() + self.pause
            log.warning("checkpoint not delivered", store=self.store.name, error=str(error))
            self.alarm.begin(str(error), after=kept)
        if kept is not None:
            Delivery.objects.create(store=self.store.name, tree_size=kept)
            self._all_is_well(kept)

    def _all_is_well(self, kept: int) -> None:
        if not self._due(self.store):
            self.pause = 0.0
            self.alarm.end("everything that was due is delivered", tree_size=kept)

    def _due(self, store: Store) -> list[tuple[int, str]]:
        """Return (tree size, note) of what the store lacks, oldest first."""
        policy = policies.read(self.policy_file)
        rows = published(policy).filter(tree_size__gt=delivered(store.name)).order_by("tree_size")
        told = rows.values_list("tree_size", "note", "created_at").iterator(chunk_size=500)
        return list(islice(spaced(told, store.every, timezone.now()), AT_ONCE))


def delivered(name: str) -> int:
    """Return the size up to which a store has what was due."""
    rows = Delivery.objects.filter(store=name)
    return rows.aggregate(largest=Max("tree_size"))["largest"] or 0


def spaced(
    rows: Iterable[tuple[int, str, datetime]], every: float, now: datetime
) -> Iterable[tuple[int, str]]:
    """Yield the last row of each span of ``every`` seconds that is over; every row when it is 0.

    Spans are counted from 1970, so that it does not matter when one looks.
    """
    if not every:
        yield from ((size, note) for size, note, _ in rows)
        return
    last: tuple[int, str, datetime] | None = None
    for row in rows:
        if last is not None and _span(last[2], every) != _span(row[2], every):
            yield last[0], last[1]
        last = row
    if last is not None and _span(last[2], every) != _span(now, every):
        yield last[0], last[1]


def _span(moment: datetime, every: float) -> int:
    return int(moment.timestamp() // every)
