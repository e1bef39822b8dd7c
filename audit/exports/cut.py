"""The cut of an export: one signed checkpoint, fixed when it is asked for, and who asked for what.

Records below a checkpoint are sealed and never change, so an export that is made in many short
transactions, or goes on after its process was killed, is one consistent state of the ledger.
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from django.utils import timezone

from audit import actors, canonical, chain, checkpoint
from audit.desk import scope
from audit.exports.filters import ExportRefused, Filters
from audit.models import Block, DroppedRecord
from audit.outside import evidence
from audit.software import software

FORMATS = {  # copies beside the hashed bytes, and what a person calls them
    "parquet": "Parquet tables",
    "csv": "Tables for spreadsheets (CSV)",
    "html": "Pages to read, with an index",
    "pdf": "Signed PDF report",
}
MOST_READABLE = 20_000  # records of an export up to which there is a report: 40 documents


@dataclass(frozen=True, slots=True)
class Cut:
    """What is exported, all of it decided before the first record is read."""

    origin: str  # the ledger's name
    note: str  # the checkpoint, as signed
    is_whole: bool  # every record below it: nothing filtered, nothing dropped after its time
    filters: dict[str, Any]  # as told
    formats: tuple[str, ...]
    actor: dict[str, str]  # as told
    reason: str
    created_at: str
    software: str

    @property
    def head(self) -> checkpoint.Checkpoint:
        return checkpoint.parse(self.note)

    @property
    def tree_size(self) -> int:
        return self.head.tree_size

    @property
    def scope(self) -> Literal["complete", "selection"]:
        return "complete" if self.is_whole else "selection"

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.created_at)

    def encode(self) -> bytes:
        return canonical.encode(asdict(self))

    @classmethod
    def decode(cls, text: bytes) -> "Cut":
        """Read a stored cut; raises canonical.NotCanonical, TypeError for what is none."""
        told = canonical.decode(text)
        return cls(**{**told, "formats": tuple(told["formats"])})


def cut_now(
    filters: Filters, *, formats: tuple[str, ...] = (), actor: Any = None, reason: str | None = None
) -> Cut:
    """Return the cut at the newest checkpoint, within what the person may see.

    Raises ExportRefused when nothing is sealed yet or a format is unknown.
    """
    if unknown := sorted(set(formats) - set(FORMATS)):
        raise ExportRefused(f"no copy is called {', '.join(unknown)}: take of {', '.join(FORMATS)}")
    newest, seen = evidence.head(), scope.of(actor)
    if newest is None:
        raise ExportRefused("nothing is sealed yet: is the sealer running?")
    if seen.is_limited:
        filters = replace(filters, within=tuple(seen.as_told()))
    return Cut(
        origin=_origin(checkpoint.parse(newest)),
        note=newest,
        is_whole=not filters and not DroppedRecord.objects.exists(),
        filters=canonical.decode(canonical.encode(filters.as_told())),
        formats=tuple(name for name in FORMATS if name in formats),
        actor=actors.actor_of(actor).as_told(),
        reason=reason or "",
        created_at=canonical.timestamp(timezone.now()),
        software=software(),
    )


def _origin(head: checkpoint.Checkpoint) -> str:
    """Return the ledger's name: that of a checkpoint names its epoch too."""
    header = Block.objects.values_list("header", flat=True).get(pk=head.block_number)
    return chain.Header.decode(header.encode()).origin
