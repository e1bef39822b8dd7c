"""Records of which only the line is left, held to the records that tell of their drop.

The verifier meets every record in order. A missing text is right only where the ledger itself,
in a record that is kept for ever, says how many of a month were dropped and which lines.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from audit import canonical
from audit.chain import Entry, Finding

STREAM = "ledger"  # the ledger's own story; kept for ever
DROPPED = "audit.partition.dropped"  # kind of the tombstone
PROPOSED = "audit.retention.drop_proposed"
SIGNED = "audit.signature.made"
APPROVERS = 2  # persons who sign that a month may go
MARKS = [f'"kind":"{kind}"'.encode() for kind in (DROPPED, PROPOSED, SIGNED)]


def month_of(identity: UUID) -> str:
    """Return the month (UTC) in which a version 7 UUID was given, like ``2026-01``."""
    return datetime.fromtimestamp((identity.int >> 80) / 1000, UTC).strftime("%Y-%m")


@dataclass(slots=True)
class Gap:
    """The dropped records of one month as they were met."""

    first: int
    last: int = 0
    count: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def add(self, entry: Entry) -> None:
        self.last = entry.sequence
        self.count += 1
        self.digest.update(entry.line + b"\n")

    def as_told(self) -> dict[str, Any]:
        return {
            "dropped": self.count,
            "first_dropped": self.first,
            "last_dropped": self.last,
            "lines_digest": self.digest.hexdigest(),
        }


@dataclass(slots=True)
class Gaps:
    """All months with dropped records, and what the ledger's own story says of their drop."""

    months: dict[str, Gap] = field(default_factory=dict)
    tombstones: dict[str, dict[str, Any]] = field(default_factory=dict)
    proposals: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id of their record
    approvers: dict[str, set[str]] = field(default_factory=dict)  # of a record, by its id

    @property
    def dropped(self) -> int:
        return sum(gap.count for gap in self.months.values())

    def meet(self, payload: bytes | None, entry: Entry) -> None:
        """Take in the next record; ``payload`` is None where its text is gone."""
        if payload is None:
            month = month_of(entry.id)
            self.months.setdefault(month, Gap(entry.sequence)).add(entry)
        elif any(mark in payload for mark in MARKS):
            self._hear(canonical.decode(payload), str(entry.id))

    def _hear(self, told: dict[str, Any], identity: str) -> None:
        if told["stream"] != STREAM:
            return
        if told["kind"] == DROPPED:
            self.tombstones[told["data"]["month"]] = told["data"]
        elif told["kind"] == PROPOSED:
            self.proposals[identity] = told["data"]
        elif told["kind"] == SIGNED:
            made = told["changes"][0]["new"]
            if made["meaning"] == "approval":
                self.approvers.setdefault(made["signed_id"], set()).add(made["signer_id"])

    def first_flaw(self) -> Finding | None:
        """Compare each gap with its tombstone, when the whole ledger was met."""
        for month, gap in sorted(self.months.items()):
            if what := self._flaw_of(month, gap):
                return Finding(f"month {month}, sequences {gap.first} to {gap.last}", what)
        for month, told in sorted(self.tombstones.items()):
            if told["dropped"] and month not in self.months:
                return Finding(f"month {month}", "its records are told to be dropped, and are here")
        return None

    def _flaw_of(self, month: str, gap: Gap) -> str | None:
        told = self.tombstones.get(month)
        if told is None:
            return f"{gap.count} records are gone, and no record tells of a drop"
        if any(told.get(name) != value for name, value in gap.as_told().items()):
            return "the records that are gone are not those its drop tells of"
        asked = self.proposals.get(told["approval"])
        if asked is None or asked["month"] != month or asked["manifest"] != told["manifest"]:
            return "its drop names no approval of this month"
        if len(self.approvers.get(told["approval"], ())) < APPROVERS:
            return "its drop was not approved by two persons"
        return None
