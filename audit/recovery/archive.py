"""Whether the archive of the database's log is whole and follows; looked at from outside it.

The archive's own process may be what has failed: so the sealer looks, once a minute.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection

from audit import ledger
from audit.recovery import wal
from audit.recovery.sealed_files import DIGEST, ENDING, MANIFEST

STATE = "archived.json"
STREAM = "backup"


def bases(store: Path) -> list[Path]:
    """Return the finished base backups of a store, the oldest first."""
    return sorted(each.parent for each in (store / "base").glob(f"*/{DIGEST}"))


def segments(store: Path) -> list[str]:
    """Return the names of the archived log segments, partial ones and histories too."""
    found = (store / "wal").glob(f"[0-9A-F]*{ENDING}")
    return sorted(path.name.removesuffix(ENDING) for path in found)


def archived(store: Path) -> wal.Archived | None:
    """Return how far the archive goes, as its process has told last."""
    try:
        told = json.loads((store / "wal" / STATE).read_text(encoding="ascii"))
        return wal.Archived(datetime.fromisoformat(told["until"]), told["lsn"])
    except (OSError, ValueError, KeyError):
        return None


def flaws(store: Path, *, now: datetime, lsn: str, timeline: int) -> list[str]:
    """Return in words what is wrong with the archive; empty when nothing is."""
    done = bases(store)
    if not done:
        return ["there is no base backup"]
    manifest = json.loads((done[-1] / MANIFEST).read_bytes())
    found = []
    if manifest["timeline"] != timeline:
        found.append(f"no base backup was made since timeline {timeline} began")
    found += [f"segment {name} is missing" for name in missing(store, manifest)]
    if still := wal.standstill(archived(store), now=now, lsn=lsn):
        found.append(still)
    return found


def missing(store: Path, manifest: dict[str, Any]) -> list[str]:
    """Return the segments that the archive lacks after a base backup."""
    return wal.gaps(segments(store), start=manifest["next_segment"])


def recovery_point(store: Path) -> datetime | None:
    """Return the moment up to which a restore would bring back everything, as far as is known."""
    done = bases(store)
    if not done:
        return None
    manifest = json.loads((done[-1] / MANIFEST).read_bytes())
    made = datetime.fromisoformat(manifest["made_at"])
    point = archived(store)
    is_whole = point is not None and not missing(store, manifest)
    return max(made, point.until) if point and is_whole else made


@dataclass
class Watch:
    """Looks at a store and records when the archive falls short, and when it is whole again."""

    store: Path
    told: list[str] = field(default_factory=list)

    def look(self) -> list[str]:
        """Look once; returns what is wrong now. A change is recorded."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT clock_timestamp(), pg_current_wal_flush_lsn()::text, timeline_id "
                "FROM pg_control_checkpoint()"
            )
            now, lsn, timeline = cursor.fetchone()
        found = flaws(self.store, now=now, lsn=lsn, timeline=timeline)
        if _kinds(found) != _kinds(self.told):
            self._record(found)
        self.told = found
        return found

    def _record(self, found: list[str]) -> None:
        facts = {"flaws": found[:20], "complete_until": recovery_point(self.store)}
        ledger.append_alone(
            stream=STREAM,
            kind=f"audit.backup.{'gap' if found else 'complete'}",
            reason="; ".join(found[:3]) or "the archive of the database's log is whole again",
            data=facts,
        )


def _kinds(found: Iterable[str]) -> set[str]:
    """Return the flaws without their moments: a standstill that lasts is told once."""
    return {flaw.split(" at ")[0] for flaw in found}
