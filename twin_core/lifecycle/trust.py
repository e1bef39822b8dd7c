"""Levels of trust in an asset's twin: each an e-signed step, none can be skipped."""

from enum import StrEnum
from itertools import pairwise

from twin_core.lifecycle import table


class Level(StrEnum):
    MONITOR = "monitor"
    ADVISE = "advise"
    SUPERVISED_WRITE = "supervised_write"
    BOUNDED_AUTOMATIC = "bounded_automatic"


ORDER = list(Level)
_UP = list(pairwise(ORDER))
_DOWN = [(high, low) for place, high in enumerate(ORDER) for low in ORDER[:place]]
TABLE: table.Table[Level] = {
    **{(low, "raise"): (high, ()) for low, high in _UP},
    **{(high, f"lower to {low}"): (low, ()) for high, low in _DOWN},
}
START = (Level.MONITOR,)


def may_advise(level: str) -> bool:
    return ORDER.index(Level(level)) >= ORDER.index(Level.ADVISE)


def may_write(level: str) -> bool:
    return ORDER.index(Level(level)) >= ORDER.index(Level.SUPERVISED_WRITE)


def advance(level: Level, action: str) -> Level:
    """Return the next level, or raise TransitionRefused."""
    return table.advance(TABLE, "level of trust", level, action, None)
