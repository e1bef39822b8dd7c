"""Witnesses as those who know whether this is the ledger that was sealed last.

The sealer asks them at its start. What one of them contradicted while the sealer ran is remembered
in the ledger, until an epoch is opened or that witness is asked no more: not every witness shows
what it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from audit import chain, ledger
from audit.models import Block, Record
from audit.outside.alarms import STREAM
from audit.outside.publishing import FENCED
from audit.outside.witnesses import Elsewhere, elsewhere
from audit.recovery import forks
from audit.recovery.differences import SeenElsewhere

UNKNOWN = b""  # the root of a tree that a witness spoke of and did not show: never ours


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a witness said that stopped this writer before."""

    name: str
    size: int

    def seen_elsewhere(self) -> tuple[int, bytes]:
        return self.size, UNKNOWN


def watchers(origin: str) -> list[SeenElsewhere]:
    """Return the site's witnesses as places that have seen this ledger's newest epoch."""
    last = Block.objects.order_by("-number").only("header").first()
    epoch = chain.Header.decode(last.header.encode()).epoch if last else 0
    asked = elsewhere(chain.log_of(origin, epoch))
    return [*asked, *remembered(asked)]


def remembered(asked: Sequence[Elsewhere]) -> list[Remembered]:
    """Return what those who are still asked contradicted since the last fork record."""
    forked = (
        Record.objects.filter(kind=chain.FORK_KIND, stream=forks.STREAM).order_by("-id").first()
    )
    told = Record.objects.filter(stream=STREAM, kind=FENCED).order_by("id")
    since = told.filter(id__gt=forked.pk) if forked else told
    names = {place.witness.name: place.name for place in asked}
    facts = [ledger.content(record)["data"] for record in since]
    return [
        Remembered(names[one["witness"]], one["tree_size"])
        for one in facts
        if one["witness"] in names
    ]
