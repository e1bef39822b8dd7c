"""What a search asks for, as conditions on the index and on records not indexed yet.

Both sides use the same functions of the database, so a record is found by the same words before
and after it is indexed.
"""

import re
import shlex
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

from audit.desk.scope import Scope
from audit.refusals import Refused

SHORTEST = 3  # characters of a word, spelled in ASCII letters and digits: fewer have no trigram
MOST_WORDS = 8
MOST_PINNED = 10_000
IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}")


class SearchRefused(Refused):
    """A search that cannot be answered; the person is told how to ask."""

    status = 400
    act = "audit.trail.search"
    what_to_do = "Add a word of at least three letters or digits, or another filter."


@dataclass(slots=True)
class Conditions:
    """SQL with its parameters: ``found`` for the index, ``bounds`` for it beside, ``fresh`` for
    records themselves. ``pinned`` holds the only records in question, where that is known.
    """

    found: list[str] = field(default_factory=list)
    found_values: list[Any] = field(default_factory=list)
    bounds: list[str] = field(default_factory=list)
    bound_values: list[Any] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    fresh_values: list[Any] = field(default_factory=list)
    pinned: set[UUID] | None = None
    short: str = ""  # a word that no index knows

    def bear_one(self, tags: list[str]) -> None:
        """Ask for records that bear at least one of the tags."""
        self.found.append("about && %s::text[]")
        self.found_values.append(tags)
        self.fresh.append("desk_about(told) && %s::text[]")
        self.fresh_values.append(tags)

    def pin(self, records: set[UUID]) -> None:
        self.pinned = records if self.pinned is None else self.pinned & records


def words_of(text: str) -> list[str]:
    """Return the words of a search; what stands in double quotes is one. Raises SearchRefused."""
    reader = shlex.shlex(text, posix=True)
    reader.whitespace_split, reader.quotes, reader.escape, reader.commenters = True, '"', "", ""
    try:
        words = list(reader)
    except ValueError:
        raise SearchRefused(
            "a quotation mark is open", what_to_do='Close it: "feed rate" finds the two words.'
        ) from None
    if len(words) > MOST_WORDS:
        raise SearchRefused(f"more than {MOST_WORDS} words", what_to_do="Leave some out.")
    return words


def conditions_of(filters: Any, scope: Scope) -> Conditions:
    """Return what ``filters`` (audit.trail.Filters) ask for in a scope. Raises SearchRefused."""
    made = Conditions()
    if scope.is_limited:
        made.bear_one(scope.tags())
    if filters.stream:
        made.bear_one([f"stream {filters.stream}"])
    if filters.person:
        made.bear_one([f"actor {filters.person}"])
    if filters.kind:
        _of_kind(made, filters.kind)
    _about_subject(made, filters.subject_type, filters.subject)
    _within_time(made, filters)
    _with_words(made, filters.text or "", "words", "desk_words(told)")
    _with_words(made, filters.reason or "", "reason", "desk_fold(told ->> 'reason')")
    if made.short and made.pinned is None and not any("&&" in x or "(" in x for x in made.found):
        raise SearchRefused(f"“{made.short}” alone is too short to be searched for")
    return made


def _of_kind(made: Conditions, beginning: str) -> None:
    """Ask for kinds that begin so; the index knows which kinds there are."""
    made.found.append("about && %s::text[]")
    made.found_values.append([f"kind {kind}" for kind in kinds() if kind.startswith(beginning)])
    made.fresh.append("starts_with(record.kind, %s)")
    made.fresh_values.append(beginning)


def kinds() -> list[str]:
    """Return every kind that the index holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind FROM audit_searchkind")
        return sorted(kind for (kind,) in cursor.fetchall())


def _about_subject(made: Conditions, kind: str | None, key: str | None) -> None:
    if kind and key:
        made.bear_one([f"subject {kind} {key}"])
    elif kind:
        made.bear_one([f"type {kind}"])
    elif key:
        made.bear_one([f"id {key}"])


def _within_time(made: Conditions, filters: Any) -> None:
    for moment, sign in ((filters.since, ">="), (filters.until, "<")):
        if moment:
            made.bounds.append(f"recorded_at {sign} %s")
            made.bound_values.append(moment)
            made.fresh.append(f"record.recorded_at {sign} %s")
            made.fresh_values.append(moment)


def _with_words(made: Conditions, text: str, column: str, fresh: str) -> None:
    for word, folded, grams in _folded(words_of(text)):
        if column == "words" and IDENTIFIER.fullmatch(folded):
            _with_identifier(made, folded)
            continue
        is_short = not re.search(rf"[0-9a-z]{{{SHORTEST}}}", grams)
        if is_short:
            made.short = word
        else:
            made.found.append(f"desk_grams({column}) LIKE %s")
            made.found_values.append(_containing(grams))
        if is_short or grams != folded:  # spelled in ASCII a word may fit by chance
            made.found.append(f"{column} LIKE %s")
            made.found_values.append(_containing(folded))
        made.fresh.append(f"{fresh} LIKE %s")
        made.fresh_values.append(_containing(folded))


def _folded(words: list[str]) -> list[tuple[str, str, str]]:
    """Return (word, folded, spelled in ASCII) as the database does it."""
    if not words:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word, desk_fold(word), desk_grams(desk_fold(word)) "
            "FROM unnest(%s::text[]) AS given (word)",
            [words],
        )
        return cursor.fetchall()


def _containing(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


PINNED_BY = """
SELECT id FROM audit_record WHERE {which}
UNION SELECT record_id FROM audit_searchrow JOIN audit_searchedge ON child = sequence
    WHERE parent = %s
UNION (SELECT record_id FROM audit_searchrow WHERE about && %s::text[] LIMIT %s)
"""


def _with_identifier(made: Conditions, identifier: str) -> None:
    """Ask for the record of this key or leaf, and for those that cite or name the identifier."""
    is_leaf = len(identifier) == 64
    leaf = bytes.fromhex(identifier) if is_leaf else b""
    tags = [f"id {identifier}", f"actor {identifier}"]
    made.fresh.append(
        "(strpos(record.payload, %s) > 0 OR record.id::text = %s OR encode(leaf, 'hex') = %s)"
    )
    made.fresh_values += [f'"{identifier}"', identifier, identifier]
    with connection.cursor() as cursor:
        cursor.execute(
            PINNED_BY.format(which="leaf = %s" if is_leaf else "id = %s"),
            [leaf if is_leaf else identifier, leaf, tags, MOST_PINNED + 1],
        )
        found = {row[0] for row in cursor.fetchall()}
    if len(found) > MOST_PINNED:  # named everywhere: as any tag, then
        made.found.append("about && %s::text[]")
        made.found_values.append(tags)
    else:
        made.pin(found)
