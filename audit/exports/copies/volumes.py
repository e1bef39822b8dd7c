"""A long copy lies in volumes, each of which is written whole or not at all."""

from collections.abc import Iterator
from typing import NamedTuple


class Volume(NamedTuple):
    """Some of the records of a bundle, by their line: ``start`` <= line < ``stop``."""

    number: int  # from 1
    start: int
    stop: int

    def name(self, stem: str, ending: str) -> str:
        return f"copies/{stem}-{self.number:04}.{ending}"


def volumes(records: int, size: int) -> Iterator[Volume]:
    """Yield the volumes of ``size`` records each; an empty bundle has one, which is empty."""
    for number, start in enumerate(range(0, max(records, 1), size), 1):
        yield Volume(number, start, min(start + size, records))
