"""Places in the tlog-tiles layout: an address to a tile, and back. Pure."""

import re
from dataclasses import dataclass

WIDTH = 256
_PATH = re.compile(r"(?:x[0-9]{3}/)*[0-9]{3}")
_WIDTH = re.compile(r"[1-9][0-9]{0,2}")
_LEVEL = re.compile(r"0|[1-9][0-9]?")


@dataclass(frozen=True, slots=True)
class Place:
    """``width`` entries of one level from ``start`` on; ``width`` is 256 for a full tile."""

    level: int
    index: int
    width: int

    @property
    def start(self) -> int:
        return self.index * WIDTH

    @property
    def stop(self) -> int:
        return self.start + self.width

    @property
    def path(self) -> str:
        """The place's address below the level's."""
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"{path_of(self.index)}{partial}"

    def is_within(self, size: int) -> bool:
        """Whether a tree of ``size`` leaves has all of it."""
        return self.stop <= size // WIDTH**self.level


def path_of(index: int) -> str:
    """Return a tile's index in groups of three digits, all but the last after an ``x``."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups))


def place_at(level: str, path: str) -> Place | None:
    """Return the place at an address; None unless it is spelled in its only way."""
    index, partial, width = path.partition(".p/")
    if not _LEVEL.fullmatch(level) or int(level) > 63 or not _PATH.fullmatch(index):
        return None
    if partial and not (_WIDTH.fullmatch(width) and int(width) < WIDTH):
        return None
    number = int(index.replace("x", "").replace("/", ""))
    found = Place(int(level), number, int(width) if partial else WIDTH)
    return found if found.path == path else None
