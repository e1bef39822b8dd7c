"""Tables for spreadsheets (CSV), in which no cell can begin a formula (CWE-1236).

Numbers stay numbers. A text that a spreadsheet could take for a formula gets an apostrophe before
it; what cannot be seen, tab and line ends too, is written as its code point. The value as it was
recorded stands in ``records.jsonl`` under the same sequence.
"""

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from audit import words
from audit.exports.copies import Done, lines
from audit.exports.copies.readable import ABSENT, NUMBER, is_quantity, text_of, visible
from audit.exports.copies.volumes import volumes
from audit.exports.cut import Cut
from audit.exports.journal import Journal

VOLUME = 250_000  # records a file: a spreadsheet holds about a million rows
FLUSH = 1 << 20  # characters
MOST = 32_000  # characters of a cell: a spreadsheet cuts a longer one off in silence
STARTS = frozenset("=+-@")
RECORD_COLUMNS = (
    "sequence",
    "recorded_at_utc",
    "occurred_at_utc",
    "what",
    "kind",
    "stream",
    "actor",
    "actor_kind",
    "actor_id",
    "reason",
    "subjects",
    "leaf_sha256",
)
CHANGE_COLUMNS = (
    "sequence",
    "recorded_at_utc",
    "kind",
    "subject_type",
    "subject_id",
    "member",
    "old",
    "old_unit",
    "new",
    "new_unit",
)


def write(journal: Journal, cut: Cut, records: int) -> Iterator[Done]:
    """Write ``copies/records-NNNN.csv`` and ``changes-NNNN.csv``: a row a record, a member."""
    for volume in volumes(records, VOLUME):
        for stem, columns, rows in (
            ("records", RECORD_COLUMNS, record_rows),
            ("changes", CHANGE_COLUMNS, change_rows),
        ):
            name = volume.name(stem, "csv")
            if name not in journal.digests:
                found = lines.read(journal.bundle, start=volume.start, stop=volume.stop)
                journal.write(name, _file(columns, rows(found)))
                yield Done("csv", volume.stop)


def _file(columns: Iterable[str], rows: Iterable[list[Any]]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    buffer.write("\ufeff")  # tells spreadsheets that it is UTF-8
    writer.writerow(columns)
    for row in rows:
        writer.writerow(map(cell, row))
        if buffer.tell() > FLUSH:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def record_rows(found: Iterable[lines.Line]) -> Iterator[list[Any]]:
    """Yield a row a record."""
    for line in found:
        told = line.told()
        actor = told["actor"]
        named = [change["subject"] for change in told["changes"]]
        yield [
            line.sequence,
            line.recorded_at,
            told["occurred_at"],
            words.headline(told["kind"], told),
            told["kind"],
            told["stream"],
            actor["name"],
            actor["kind"],
            actor["id"],
            told["reason"],
            "; ".join(f"{each['type']} {each['id']}" for each in named) or None,
            line.leaf,
        ]


def change_rows(found: Iterable[lines.Line]) -> Iterator[list[Any]]:
    """Yield a row for each member of a subject; numbers stand apart from their unit."""
    for line in found:
        told = line.told()
        for change in told["changes"]:
            named = change["subject"]
            old, new = dict(values(change["old"])), dict(values(change["new"]))
            for member in [*old, *(name for name in new if name not in old)]:
                yield [
                    line.sequence,
                    line.recorded_at,
                    told["kind"],
                    named["type"],
                    named["id"],
                    member,
                    *old.get(member, (ABSENT, None)),
                    *new.get(member, (ABSENT, None)),
                ]


def values(value: Any, path: str = "") -> Iterator[tuple[str, tuple[str, str | None]]]:
    """Yield (path, (text, unit)) of each value inside; the unit is None where there is none."""
    if is_quantity(value):
        yield path, (value["value"], value["unit"])
    elif isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from values(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from values(inner, f"{path}[{place}]")
    elif path:
        yield path, (text_of(value), None)


def cell(value: Any) -> Any:
    """Return one cell that no spreadsheet executes; None is an empty one."""
    if value is None or isinstance(value, int):
        return value
    if NUMBER.fullmatch(value):
        return value
    shown = visible(value)
    if len(shown) > MOST:
        shown = f"(in records.jsonl: {len(value)} characters do not fit a cell)"
    return f"'{shown}" if is_dangerous(value) else shown


def is_dangerous(text: str) -> bool:
    """Whether a spreadsheet could take a text for a formula, in any width and after any space."""
    for character in text:
        if not (character.isspace() or unicodedata.category(character).startswith("C")):
            return unicodedata.normalize("NFKC", character)[:1] in STARTS
    return False
