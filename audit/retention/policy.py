"""The retention policy: how long which records are kept. Pure; the file's bytes are signed.

A policy is YAML:

    v: 1
    evidence: outside            # or checkpoints: what must show that the time has passed
    witnesses: []                # public keys whose cosigned times are believed
    classes:                     # the first that fits a record decides
      - {name: "Batches", stream: "batch/*", years: 30}
      - {name: "All else", years: 15}

``stream`` and ``kind`` are whole names, or beginnings that end with ``*``. ``years`` is a number
or ``for ever``; what is kept for ever names a stream alone. The last class fits everything.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import yaml

FOR_EVER = "for ever"
EVIDENCE = ("outside", "checkpoints")
MOST_YEARS = 200
ALWAYS_KEPT = ("ledger", "people")  # streams whose text the database itself keeps
MEMBERS = {"v", "evidence", "witnesses", "classes"}


class PolicyInvalid(ValueError):
    """A policy that cannot be used; the message names the place and what to write."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One class of records. ``years`` is None for ever; empty ``stream`` or ``kind`` fits any."""

    name: str
    stream: str = ""
    kind: str = ""
    years: int | None = None

    def fits(self, stream: str, kind: str) -> bool:
        return _fits(self.stream, stream) and _fits(self.kind, kind)


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as signed; ``digest`` is the SHA-256 (hex) of its bytes."""

    classes: tuple[Kept, ...]
    evidence: str
    witnesses: tuple[str, ...]
    digest: str

    def class_of(self, stream: str, kind: str) -> Kept:
        return next(kept for kept in self.classes if kept.fits(stream, kind))

    def years_for(self, told: Iterable[tuple[str, str]]) -> int:
        """Return the longest time among (stream, kind) pairs; those for ever do not count."""
        return max((self.class_of(*pair).years or 0 for pair in told), default=0)

    def kept_streams(self) -> list[str]:
        """Return the streams kept for ever as LIKE patterns, sorted."""
        return sorted({like(kept.stream) for kept in self.classes if kept.years is None})


def like(name: str) -> str:
    """Return a name, or a beginning that ends with ``*``, as a LIKE pattern."""
    escaped = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped[:-1] + "%" if escaped.endswith("*") else escaped


def _fits(pattern: str, name: str) -> bool:
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return pattern in ("", name)


def month_end(month: str) -> datetime:
    """Return the first moment after a month like ``2026-01`` (UTC)."""
    year, number = int(month[:4]), int(month[5:])
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def years_after(moment: datetime, years: int) -> datetime:
    return moment.replace(year=moment.year + years)  # the first of a month: there each year


def retain_until(policies: Iterable[Policy], month: str, told: list[tuple[str, str]]) -> datetime:
    """Return when the retention of a month's records is over.

    ``policies`` are all that were in force at any time since the month's records were made: a
    shorter policy signed later does not shorten what was promised.
    """
    years = max(policy.years_for(told) for policy in policies)
    return years_after(month_end(month), years)


def parse(content: bytes) -> Policy:
    """Read a policy; raises PolicyInvalid."""
    try:
        told = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PolicyInvalid(f"not YAML: {error}") from error
    _require(isinstance(told, dict) and set(told) == MEMBERS, f"write {', '.join(sorted(MEMBERS))}")
    _require(told["v"] == 1, "v: this product reads version 1")
    _require(told["evidence"] in EVIDENCE, f"evidence: write {' or '.join(EVIDENCE)}")
    _require(isinstance(told["witnesses"], list), "witnesses: a list of public keys, or []")
    _require(isinstance(told["classes"], list) and told["classes"], "classes: at least one")
    classes = tuple(_class(number, one) for number, one in enumerate(told["classes"], 1))
    last = classes[-1]
    is_open = not last.stream and not last.kind and last.years is not None
    _require(is_open, "classes: the last has years, and neither stream nor kind: it fits the rest")
    digest = hashlib.sha256(content).hexdigest()
    return Policy(classes, told["evidence"], tuple(map(str, told["witnesses"])), digest)


def _class(number: int, told: Any) -> Kept:
    place = f"class {number}"
    known = isinstance(told, dict) and {"name", "years"} <= set(told) <= set(Kept.__slots__)
    _require(known, f"{place}: write name and years, and stream or kind if it is not for all")
    years = None if told["years"] == FOR_EVER else told["years"]
    number_of_years = type(years) is int and 1 <= years <= MOST_YEARS
    _require(years is None or number_of_years, f"{place}: years is 1 to {MOST_YEARS} or for ever")
    kept = Kept(str(told["name"]), str(told.get("stream", "")), str(told.get("kind", "")), years)
    for pattern in (kept.stream, kept.kind):
        _require("*" not in pattern[:-1], f"{place}: a star stands at the end alone")
    whole = years is not None or (kept.stream and not kept.kind)
    _require(whole, f"{place}: what is kept for ever names a stream and no kind")
    return kept


def _require(holds: Any, what: str) -> None:
    if not holds:
        raise PolicyInvalid(what)
