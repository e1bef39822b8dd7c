"""Marking what was searched for in what is shown: text in pieces, each a hit or not."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from audit import words as spoken

Pieces = tuple[tuple[str, bool], ...]  # text, whether it was searched for
AROUND = 60  # characters of an excerpt on each side of its first hit


def marked(text: str, wanted: Sequence[str]) -> Pieces:
    """Return ``text`` in pieces; pieces that fold to one of ``wanted`` are hits."""
    folded, origin = _folded(text)
    inside = [False] * len(text)
    for word in filter(None, (_folded(word)[0] for word in wanted)):
        at = folded.find(word)
        while at >= 0:
            for place in range(origin[at], origin[at + len(word) - 1] + 1):
                inside[place] = True
            at = folded.find(word, at + len(word))
    return tuple(_runs(text, inside))


def _folded(text: str) -> tuple[str, list[int]]:
    """Return the text folded as the index folds it, and where each of its characters came from."""
    parts, origin = [], []
    for place, letter in enumerate(text):
        part = unicodedata.normalize("NFKC", letter).casefold()
        parts.append(part)
        origin += [place] * len(part)
    return "".join(parts), origin


def _runs(text: str, inside: Sequence[bool]) -> Iterator[tuple[str, bool]]:
    start = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or inside[place] != inside[start]:
            yield text[start:place], inside[start]
            start = place


def has_hit(pieces: Pieces) -> bool:
    return any(is_hit for _, is_hit in pieces)


def excerpt(content: Mapping[str, Any], wanted: Sequence[str]) -> tuple[str, Pieces]:
    """Return (where, pieces) of the first thing told that holds a wanted word, or nothing."""
    for path, text in _told(content):
        pieces = marked(text, wanted)
        if has_hit(pieces):
            return path, _cut(pieces)
    return "", ()


def _told(content: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "who", content["actor"]["name"]
    for change in content["changes"]:
        named = change["subject"]["type"].rsplit(".", 1)[-1].replace("_", " ")
        yield f"{named} key", change["subject"]["id"]
        for side, state in (("after", change["new"]), ("before", change["old"])):
            for path, text in spoken.lines(state or {}):
                yield f"{named} › {path}, {side}", text
    yield from spoken.lines(content["data"] or {})


def _cut(pieces: Pieces) -> Pieces:
    """Return what stands around the first hit, whole pieces where they fit."""
    start = sum(len(text) for text, _ in pieces[: _first_hit(pieces)])
    low, high = start - AROUND, start + len(pieces[_first_hit(pieces)][0]) + AROUND
    kept: list[tuple[str, bool]] = []
    at = 0
    for text, is_hit in pieces:
        part = text[max(0, low - at) : max(0, high - at)]
        if part:
            kept.append((part, is_hit))
        at += len(text)
    head = [("…", False)] if low > 0 else []
    return (*head, *kept, *([("…", False)] if high < at else []))


def _first_hit(pieces: Pieces) -> int:
    return next(place for place, (_, is_hit) in enumerate(pieces) if is_hit)
