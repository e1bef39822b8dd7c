"""The verifiers, each called over many bundles: they must agree.

A rival takes folders, and for some of them a trust file; it returns for each whether the bundle is
sound, and the place and flaw that it names, as text.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from audit import verifier
from tests.audit.bundles import js_verifier

Verdicts = dict[Path, tuple[bool, str]]
Rival = Callable[[Sequence[Path], Mapping[Path, Path]], Verdicts]


def _verdict(folder: Path, trust: Path | None, *, is_quick: bool) -> tuple[bool, str]:
    """The verifier's verdict; a trust file that cannot be used proves nothing, so it is a flaw."""
    try:
        result = verifier.verify(folder, trust, is_quick=is_quick)
    except verifier.Flaw as flaw:
        return False, f"FLAW {flaw.args[0]}: {flaw.args[1]}"
    return result.ok, str(result.text)


def python(folders: Sequence[Path], trust: Mapping[Path, Path]) -> Verdicts:
    """The one-file verifier."""
    return {folder: _verdict(folder, trust.get(folder), is_quick=False) for folder in folders}


def quick(folders: Sequence[Path], trust: Mapping[Path, Path]) -> Verdicts:
    """The same, without reading records."""
    return {folder: _verdict(folder, trust.get(folder), is_quick=True) for folder in folders}


def javascript(folders: Sequence[Path], trust: Mapping[Path, Path]) -> Verdicts:
    """The page, in a browser."""
    return js_verifier.run(list(folders), dict(trust))


@dataclass(frozen=True)
class Place:
    """Where a flaw is: a file, and what of it is named. None: not said."""

    file: str
    line: int | None
    block: int | None
    sequence: int | None

    def is_that_of(self, other: "Place") -> bool:
        """The same line, block or record, or the same file where neither says more."""
        pairs = zip(astuple(self)[1:], astuple(other)[1:], strict=True)
        said = [pair for pair in pairs if None not in pair]
        if self.file == other.file and None in (self.line, other.line):
            return all(one == two for one, two in said)
        return any(one == two for one, two in said[self.file != other.file :]) if said else False


def places(text: str) -> list[Place]:
    """Every place that a verifier's answer names for a flaw, in its order."""
    return [_place(found[1]) for found in re.finditer(r"^FLAW (?:at )?(.*?): ", text, re.M)]


def _place(text: str) -> Place:
    def number(word: str) -> int | None:
        found = re.search(rf"\b{word} (\d+)\b", text)
        return int(found[1]) if found else None

    file = re.split(r" line \d| \(|, at its end", text)[0]
    return Place(file, number("line"), number("block"), number("sequence"))


def apart(answers: Sequence[Verdicts], folder: Path, trust: Path | None) -> str | None:
    """How two verifiers differ about a bundle, or None: in the verdict or in the place."""
    texts = [found[folder][1] for found in answers]
    if answers[0][folder][0] != answers[1][folder][0]:
        return " <> ".join(texts)
    if answers[0][folder][0]:
        return None
    name = trust.name if trust else ""
    (ours, *_), theirs = (
        places(text.replace(f"FLAW {name}", "FLAW trust file") if name else text) for text in texts
    )
    return None if any(ours.is_that_of(each) for each in theirs) else " <> ".join(texts)


BOTH: dict[str, Rival] = {"python": python, "javascript": javascript}
