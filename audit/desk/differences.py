"""Old and new side by side: each member that changed, with its unit, marked by sign and word."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from audit import words
from audit.pages import Change, ChangeSummary, SubjectChanges

LONG = 160  # characters; longer values are folded
MANY = 3  # changes of subjects; from more on a summary stands first
ABSENT = object()


def subject_changes(changes: Sequence[Mapping[str, Any]]) -> list[SubjectChanges]:
    """Return what a record changed, subject by subject."""
    return [_subject(number, change) for number, change in enumerate(changes, 1)]


def _subject(number: int, change: Mapping[str, Any]) -> SubjectChanges:
    subject = change["subject"]
    told = {"subject_type": subject["type"], "subject": subject["id"]}
    at = {"type": subject["type"], "id": subject["id"]}
    return SubjectChanges(
        subject["type"],
        subject["id"],
        compared(change["old"], change["new"]),
        href=f"{reverse('audit:trail')}?{urlencode(told)}",
        as_of_href=f"{reverse('audit:as_of')}?{urlencode(at)}",
        anchor=f"change-{number}",
        act=_act(change),
    )


def _act(change: Mapping[str, Any]) -> str:
    if not change["old"]:
        return "entered"
    return "changed" if change["new"] else "taken away"


def compared(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[Change]:
    """Return each member of two states; what changed first, what stayed after it.

    Members inside members are compared one by one, so a change deep inside is marked there.
    """
    was, became = _flat(old or {}), _flat(new or {})
    rows = [
        _row(name, was.get(name, ABSENT), became.get(name, ABSENT))
        for name in [*was, *(name for name in became if name not in was)]
    ]
    return sorted(rows, key=lambda row: row.is_same)


def _flat(state: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_leaves(state, "")) if state else {}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (path, value) for each value that has no members of its own; a quantity is one."""
    if isinstance(value, dict) and value and set(value) != {"value", "unit"}:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path} › {name}" if path else name)
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for place, inner in enumerate(value, 1):
            yield from _leaves(inner, f"{path} {place}")
    else:
        yield path.replace("_", " "), value


def _row(name: str, old: Any, new: Any) -> Change:
    if old is ABSENT:
        how = "added"
    elif new is ABSENT:
        how = "removed"
    else:
        how = "same" if old == new and type(old) is type(new) else "changed"
    before, after = _text(old), _text(new)
    is_long = max(len(before), len(after)) > LONG
    return Change(name, before, after, is_same=how == "same", how=how, is_long=is_long)


def _text(value: Any) -> str:
    if value is ABSENT:
        return ""
    if isinstance(value, list):
        return ", ".join(map(words.as_text, value))
    return words.as_text(value)


def summary(changes: Sequence[SubjectChanges]) -> list[ChangeSummary]:
    """Return one line a subject where a record changed many; nothing where it changed few."""
    if len(changes) <= MANY:
        return []
    return [
        ChangeSummary(
            anchor=change.anchor,
            subject_type=change.subject_type,
            subject_id=change.subject_id,
            act=change.act,
            names=[row.name for row in change.rows if not row.is_same],
            unchanged=sum(row.is_same for row in change.rows),
        )
        for change in changes
    ]
