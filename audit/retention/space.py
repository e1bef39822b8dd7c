"""An alarm before the volume of the store is full: recorded while there is room for a record."""

import shutil
from collections.abc import Callable
from pathlib import Path

import structlog

from audit import canonical, ledger

LEVELS = (0.85, 0.95)  # shares of the volume
KIND, OVER = "audit.space.short", "audit.space.freed"

log = structlog.get_logger("sealer")


def used_share(folder: Path) -> float:
    usage = shutil.disk_usage(folder)
    return usage.used / usage.total


class SpaceWatch:
    """Looks at a volume again and again; each level that is passed is recorded once."""

    def __init__(self, folder: Path, *, measure: Callable[[Path], float] = used_share) -> None:
        self.folder, self.measure, self.level = folder, measure, 0

    def look(self) -> float:
        """Measure; record a level passed upwards, and the return below the first."""
        share = self.measure(self.folder)
        level = sum(share >= limit for limit in LEVELS)
        if level > self.level:
            full = f"{LEVELS[level - 1]:.0%}"
            self._tell(KIND, f"the volume of {self.folder} is more than {full} full", share)
        elif level == 0 and self.level > 0:
            self._tell(OVER, f"there is room again on the volume of {self.folder}", share)
        self.level = level
        return share

    def _tell(self, kind: str, reason: str, share: float) -> None:
        log.warning(reason, used=share)
        ledger.append_alone(
            stream="ledger",
            kind=kind,
            reason=reason,
            data={"used": canonical.number(round(share, 4), "1")},
        )
