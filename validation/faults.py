"""The catalogue of faults, what must hold under each, and what was seen when it was injected.

An entry is a file in ``docs/validation/faults/``. A test that injects it reports what it measured;
``table`` prints the newest full campaign beside the goals.
"""

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

CATALOGUE = Path("docs") / "validation" / "faults"
RESULTS = CATALOGUE / "results.json"
TABLE = Path("docs") / "validation" / "faults.md"
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<=": operator.le,
    ">=": operator.ge,
}
_HEAD = """\
# Faults injected

What was done to the product, how often, and what was seen; made by `make campaign` from the
entries in [faults/](faults/) and the results of their newest campaign, which may have been a share
of the full number (`make campaign SHARE=0.1`). The suite injects each of them too.

| entry | fault | severity | runs | seen | must hold | result | on |
|---|---|---|---|---|---|---|---|
"""


class FaultInvalid(ValueError):
    """An entry of the catalogue, or a report on one, that is not as it must be."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry: how often it is injected, and what must hold over all runs."""

    id: str
    title: str
    injected: str
    severity: int  # 1 to 5
    short: int  # runs in the suite
    full: int  # runs in a campaign
    must_hold: Mapping[str, str]  # metric -> "<operator> <number>"

    def broken(self, seen: Mapping[str, float]) -> list[str]:
        """Return each metric that is missing or does not hold, in words."""
        unknown = sorted(set(seen) - set(self.must_hold))
        missing = [f"{name} was not measured" for name in self.must_hold if name not in seen]
        failed = [
            f"{name} is {seen[name]}, must be {rule}"
            for name, rule in self.must_hold.items()
            if name in seen and not _holds(seen[name], rule)
        ]
        return [*(f"{name} is no metric of {self.id}" for name in unknown), *missing, *failed]


def _holds(value: float, rule: str) -> bool:
    sign, _, number = rule.partition(" ")
    return _COMPARE[sign](value, float(number))


def load(root: Path) -> dict[str, Fault]:
    """Return the catalogue by identifier; raises FaultInvalid naming the file and what is wrong."""
    return {path.stem: _read(path) for path in sorted((root / CATALOGUE).glob("*.yaml"))}


def entry(root: Path, id: str) -> Fault:
    """Return one entry of the catalogue; raises FaultInvalid when there is none."""
    return _read(root / CATALOGUE / f"{id}.yaml")


def _read(path: Path) -> Fault:
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        fault = Fault(
            id=told["id"],
            title=told["title"],
            injected=told["injected"],
            severity=int(told["severity"]),
            short=int(told["runs"]["short"]),
            full=int(told["runs"]["full"]),
            must_hold=told["must_hold"],
        )
        for rule in fault.must_hold.values():
            _holds(0.0, rule)
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise FaultInvalid(f"{path.name}: {error!r}") from error
    if fault.id != path.stem or not fault.title or not fault.injected:
        raise FaultInvalid(f"{path.name}: id, title and injected must be given, id as the file")
    return fault


def store(root: Path, fault: Fault, *, runs: int, seen: Mapping[str, float], build: str) -> None:
    """Keep what a full campaign saw of one entry, in place of what an earlier one saw."""
    results = _results(root)
    results[fault.id] = {
        "runs": runs,
        "seen": dict(seen),
        "broken": fault.broken(seen),
        "on": datetime.now(UTC).date().isoformat(),
        "build": build,
    }
    (root / RESULTS).write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")


def _results(root: Path) -> dict[str, Any]:
    path = root / RESULTS
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def table(root: Path) -> str:
    """Return the page of all entries with their newest results."""
    results = _results(root)
    return _HEAD + "".join(_line(fault, results.get(fault.id)) for fault in load(root).values())


def _line(fault: Fault, result: Mapping[str, Any] | None) -> str:
    rules = "; ".join(f"{name} {rule}" for name, rule in fault.must_hold.items())
    if result is None:
        cells = [f"suite: {fault.short}", "", rules, "in the suite only", ""]
    else:
        seen = "; ".join(f"{name} {value:g}" for name, value in result["seen"].items())
        verdict = "passed" if not result["broken"] else "failed: " + "; ".join(result["broken"])
        cells = [f"{result['runs']} of {fault.full}", seen, rules, verdict, result["on"]]
    return "| " + " | ".join([fault.id, fault.title, str(fault.severity), *cells]) + " |\n"
