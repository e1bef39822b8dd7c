"""A record in words, and each of its values as text that leads back to the value.

The rules (docs/design/exports.md): a text stands as it was recorded; a quantity is its recorded
digits, a space and its unit; yes and no are truth values; (none) is null, (empty) an empty text,
(absent) a member that is not there; a text that could be taken for one of these, or begins with
a quotation mark, stands in quotation marks. No value is rounded, converted or cut.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from audit import words
from audit.exports.copies.lines import Line

NONE, EMPTY, ABSENT = "(none)", "(empty)", "(absent)"
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_RESERVED = {NONE, EMPTY, ABSENT, "yes", "no", "[]", "{}"}
# what cannot be seen, or changes how its neighbours are seen: controls, bidirectional, zero width
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff0-\uffff\U000e0000-\U000e0fff]"
)
OPEN, CLOSE = "\N{MATHEMATICAL LEFT ANGLE BRACKET}", "\N{MATHEMATICAL RIGHT ANGLE BRACKET}"


@dataclass(frozen=True, slots=True)
class Change:
    """One member of a subject, before and after, each as text."""

    member: str
    old: str
    new: str
    is_same: bool


@dataclass(frozen=True, slots=True)
class Subject:
    type: str
    id: str
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature as 21 CFR 11.50 asks for it, with the record that made it."""

    printed_name: str
    meaning: str
    signed_at: str  # UTC
    signed_at_site: str
    reason: str
    flaw: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as a person reads it. Times are UTC, to the microsecond, as recorded."""

    sequence: int
    headline: str
    kind: str
    stream: str
    recorded_at: str
    occurred_at: str
    actor: str
    actor_id: str
    source: str
    reason: str
    subjects: Sequence[Subject]
    data: Sequence[tuple[str, str]]
    blobs: Sequence[str]
    parents: Sequence[str]
    leaf: str
    signatures: Sequence[Signed]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is known of the record beside its changes: names and texts, the empty left out."""
        told = (
            ("Kind", self.kind),
            ("Belongs to", self.stream),
            ("Recorded (UTC)", self.recorded_at),
            ("Occurred (UTC)", self.occurred_at),
            ("Who", f"{self.actor}, {self.actor_id}"),
            ("From", self.source),
            ("Reason", self.reason),
            ("Cites contents", ", ".join(self.blobs)),
            ("Rests on leaves", ", ".join(self.parents)),
            ("Leaf (SHA-256)", self.leaf),
        )
        return [(name, text) for name, text in told if text]


def entry_of(line: Line, signatures: Sequence[Signed] = ()) -> Entry:
    """Return a record in words."""
    told = line.told()
    actor, source = told["actor"], told["source"]
    return Entry(
        sequence=line.sequence,
        headline=words.headline(told["kind"], told),
        kind=told["kind"],
        stream=told["stream"],
        recorded_at=line.recorded_at,
        occurred_at=told["occurred_at"],
        actor=f"{actor['name']} ({actor['kind'].replace('_', ' ')})",
        actor_id=actor["id"],
        source=", ".join(f"{name} {value}" for name, value in source.items() if value),
        reason=text_of(told["reason"]) if told["reason"] is not None else "",
        subjects=[_subject(change) for change in told["changes"]],
        data=[] if told["data"] is None else list(members(told["data"])),
        blobs=told["blobs"],
        parents=told["parents"],
        leaf=line.leaf,
        signatures=signatures,
    )


def _subject(change: dict[str, Any]) -> Subject:
    named = change["subject"]
    old, new = dict(members(change["old"] or {})), dict(members(change["new"] or {}))
    names = [*old, *(name for name in new if name not in old)]
    rows = [
        Change(name, old.get(name, ABSENT), new.get(name, ABSENT), old.get(name) == new.get(name))
        for name in names
    ]
    return Subject(named["type"], named["id"], rows)


def members(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, text) for each value inside; paths are ``a.b`` and ``a[0]``."""
    if isinstance(value, dict) and value and not is_quantity(value):
        for name, inner in value.items():
            yield from members(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from members(inner, f"{path}[{place}]")
    elif path or value:
        yield path, text_of(value)


def is_quantity(value: Any) -> bool:
    """Whether a value is a measured one: digits and a unit, both recorded as text."""
    return (
        isinstance(value, dict)
        and set(value) == {"unit", "value"}
        and all(isinstance(each, str) for each in value.values())
    )


def text_of(value: Any) -> str:
    """Return one value as text; nothing is rounded, converted or cut."""
    match value:
        case None:
            return NONE
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case str():
            return _plain(value)
        case {"unit": str(unit), "value": str(digits)}:
            return f"{digits} {unit}".strip()
        case _:
            return "{}" if isinstance(value, dict) else "[]"


def _plain(text: str) -> str:
    if not text:
        return EMPTY
    if text in _RESERVED or text[0] == "\N{LEFT DOUBLE QUOTATION MARK}":
        return f"\N{LEFT DOUBLE QUOTATION MARK}{text}\N{RIGHT DOUBLE QUOTATION MARK}"
    return text


def visible(text: str) -> str:
    """Return the text with what cannot be seen written as its code point: ``⟨U+202E⟩``."""
    if text.isascii() and text.isprintable():
        return text
    return HIDDEN.sub(lambda found: code_point(found[0]), text.replace(OPEN, code_point(OPEN)))


def code_point(character: str) -> str:
    return f"{OPEN}U+{ord(character):04X}{CLOSE}"
