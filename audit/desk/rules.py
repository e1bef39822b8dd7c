"""Rules that rank entries of the trail: read from a text with a digest, applied by pure code."""

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

PLACE = Path(__file__).with_name("rules.yaml")
ACTORS = {"person", "process", "os_user"}
TESTS = {
    *("kind", "actor", "outside_hours", "late_s", "data", "changes_value"),
    *("without_reason", "burst"),
}


class RulesRefused(ValueError):
    """The rules cannot be used; the message names the rule and what is wrong."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as the rules see it."""

    id: str
    sequence: int
    kind: str
    recorded_at: datetime
    told: Mapping[str, Any]  # the payload

    @property
    def actor(self) -> tuple[str, str]:
        return self.told["actor"]["kind"], self.told["actor"]["id"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``when`` holds its tests by name."""

    id: str
    title: str
    weight: int
    why: str
    when: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hours:
    """When people are expected to work, in the site's time."""

    start: int
    end: int
    weekdays: frozenset[int]  # 1 is Monday

    def holds(self, local: datetime) -> bool:
        return local.isoweekday() in self.weekdays and self.start <= local.hour < self.end


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules with the digest of their text."""

    digest: str
    threshold: int
    hours: Hours
    rules: tuple[Rule, ...]

    def by_id(self) -> dict[str, Rule]:
        return {rule.id: rule for rule in self.rules}


def load(text: bytes | None = None) -> Rules:
    """Return the rules of a text, by default of this installation. Raises RulesRefused."""
    text = PLACE.read_bytes() if text is None else text
    try:
        told = yaml.safe_load(text)
        hours = told["hours"]
        return Rules(
            digest=hashlib.sha256(text).hexdigest(),
            threshold=_number(told["threshold"], "threshold"),
            hours=Hours(int(hours["from"]), int(hours["to"]), frozenset(hours["weekdays"])),
            rules=tuple(_rules(told["rules"])),
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise RulesRefused(f"the rules cannot be read: {error!r}") from error


def _rules(told: Iterable[Mapping[str, Any]]) -> Iterator[Rule]:
    seen: set[str] = set()
    for each in told:
        name = each["id"]
        if name in seen:
            raise RulesRefused(f"rule {name} is there twice")
        seen.add(name)
        if not (each["title"].strip() and each["why"].strip()):
            raise RulesRefused(f"rule {name} has no title or says not why")
        yield Rule(name, each["title"], _number(each["weight"], name), each["why"], _when(each))


def _number(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RulesRefused(f"{where}: {value!r} is no whole number above zero")
    return value


def _when(each: Mapping[str, Any]) -> Mapping[str, Any]:
    when = each["when"]
    if not when or (unknown := set(when) - TESTS):
        raise RulesRefused(
            f"rule {each['id']} names unknown tests: {sorted(unknown)}"
            if when
            else f"rule {each['id']} tests nothing"
        )
    if "actor" in when and when["actor"] not in ACTORS:
        raise RulesRefused(f"rule {each['id']}: {when['actor']!r} is no kind of actor")
    if "kind" in when and not isinstance(when["kind"], list):
        raise RulesRefused(f"rule {each['id']}: kind is a list")
    return when


@dataclass(slots=True)
class Matcher:
    """Applies rules to entries in their order; remembers what bursts need, nothing else."""

    rules: Rules
    zone: ZoneInfo
    recent: dict[tuple[str, str], deque[datetime]] = field(
        default_factory=lambda: defaultdict(deque)
    )

    def met(self, entry: Entry) -> list[Rule]:
        """Return the rules that an entry meets; entries must come in their order."""
        return [
            rule
            for rule in self.rules.rules
            if all(self._holds(rule, test, wanted, entry) for test, wanted in _ordered(rule.when))
        ]

    def _holds(self, rule: Rule, test: str, wanted: Any, entry: Entry) -> bool:
        match test:
            case "kind":
                return any(fnmatchcase(entry.kind, pattern) for pattern in wanted)
            case "actor":
                return entry.actor[0] == wanted
            case "outside_hours":
                return self.rules.hours.holds(entry.recorded_at.astimezone(self.zone)) != wanted
            case "late_s":
                return _late(entry) >= timedelta(seconds=wanted)
            case "data":
                data = entry.told["data"] or {}
                return all(data.get(name) == value for name, value in wanted.items())
            case "changes_value":
                return _changes_value(entry) == wanted
            case "without_reason":
                return (not (entry.told["reason"] or "").strip()) == wanted
            case "burst":
                return self._is_burst(rule, wanted, entry)
        raise RulesRefused(f"rule {rule.id} names an unknown test: {test}")

    def _is_burst(self, rule: Rule, wanted: Mapping[str, int], entry: Entry) -> bool:
        """Whether this is the count-th act within the minutes; the next burst begins after it."""
        times = self.recent[rule.id, entry.actor[1]]
        times.append(entry.recorded_at)
        while times[0] <= entry.recorded_at - timedelta(minutes=wanted["minutes"]):
            times.popleft()
        if len(times) < wanted["count"]:
            return False
        times.clear()
        return True


def _ordered(when: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the tests with ``burst`` last: it counts only acts that meet the others."""
    return sorted(when.items(), key=lambda one: one[0] == "burst")


def _late(entry: Entry) -> timedelta:
    return entry.recorded_at - datetime.fromisoformat(entry.told["occurred_at"])


def _changes_value(entry: Entry) -> bool:
    return any(
        change["old"] and change["new"] and change["old"] != change["new"]
        for change in entry.told["changes"]
    )
