"""Copies of the records for reading, sorting and searching; the evidence is the hashed bytes.

Each copy is made from the files of the bundle, volume by volume, so that a long one goes on where
it was left. Every shown value comes from the recorded one by the rules in docs/design/exports.md.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from audit.exports.cut import Cut
from audit.exports.journal import Journal


class Done(NamedTuple):
    """What was written: the name of the copy, and the records in it so far."""

    step: str
    done: int


def write(journal: Journal, cut: Cut, *, records: int) -> Iterator[Done]:
    """Write the copies that the cut asks for; yields after each volume."""
    for name in cut.formats:
        yield from _maker(name)(journal, cut, records)
    if cut.formats:
        from audit.exports.copies import pages

        pages.write_index(journal, cut, records)


def _maker(name: str) -> Callable[[Journal, Cut, int], Iterator[Done]]:
    """Return what writes one copy; its libraries are loaded when it is asked for."""
    match name:
        case "parquet":
            from audit.exports.copies import parquet

            return parquet.write
        case "csv":
            from audit.exports.copies import spreadsheet

            return spreadsheet.write
        case "html":
            from audit.exports.copies import pages

            return pages.write
    from audit.exports.copies import report

    return report.write
