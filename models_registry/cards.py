"""The card of a model version: what it is for, where it holds, what it must reach.

Pure. A card is a JSON object; ``read`` checks it and names every flaw at once. Numbers are
decimal texts with a unit, because a card is hashed and signed.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

IMPACTS = ("low", "medium", "high")  # ICH M7/Q13 manner of ranking a model's impact
COMPARISONS = ("at_most", "at_least")
LARGEST = 8_000  # bytes of a card or of scores: a record holds a row twice, before and after
CREDIBILITY = ("question", "influence", "consequence", "evidence")


class CardRefused(ValueError):
    """A card or scores that cannot be used; the text lists every flaw with its place."""


@dataclass(frozen=True, slots=True)
class InputRange:
    """Where one input must lie, ends included, in the unit of its tag."""

    tag: str
    unit: str
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Criterion:
    """What one score must reach on the locked test set, and why that is enough."""

    metric: str
    comparison: str  # at_most | at_least
    limit: str
    unit: str
    why: str


@dataclass(frozen=True, slots=True)
class Card:
    """See ``read`` for the JSON it is made from."""

    intended_use: str
    impact: str
    inputs: tuple[InputRange, ...]
    outputs: tuple[str, ...]
    assumptions: tuple[str, ...]
    known_limits: tuple[str, ...]
    criteria: tuple[Criterion, ...]
    credibility: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One criterion beside what was reached."""

    criterion: Criterion
    reached: str | None
    is_met: bool

    def __str__(self) -> str:
        asked = f"{self.criterion.comparison.replace('_', ' ')} {self.criterion.limit}"
        reached = "was not computed" if self.reached is None else f"is {self.reached}"
        return f"{self.criterion.metric} {reached}, asked is {asked} {self.criterion.unit}"


def read(content: Any) -> Card:
    """Return the card of a JSON object (or its text); raises CardRefused with every flaw.

    Members: ``intended_use`` (text), ``impact`` (low, medium or high), ``inputs`` (list of tag,
    unit, low, high), ``outputs``, ``assumptions``, ``known_limits`` (lists of text), ``criteria``
    (list of metric, comparison, limit, unit, why), ``credibility`` (question, influence,
    consequence, evidence: the risk-informed credibility frame of ASME V&V 40).
    """
    told = _object(content, "card")
    flaws = [*_shape_flaws(told)] or [*_content_flaws(told)]
    if flaws:
        raise CardRefused("card: " + "; ".join(flaws))
    return Card(
        intended_use=told["intended_use"],
        impact=told["impact"],
        inputs=tuple(InputRange(**entry) for entry in told["inputs"]),
        outputs=tuple(told["outputs"]),
        assumptions=tuple(told["assumptions"]),
        known_limits=tuple(told["known_limits"]),
        criteria=tuple(Criterion(**entry) for entry in told["criteria"]),
        credibility=dict(told["credibility"]),
    )


def as_told(card: Card) -> dict[str, Any]:
    """Return the JSON object that ``read`` takes."""
    return json.loads(json.dumps(asdict(card)))  # lists for tuples


def outside(card: Card, inputs: Mapping[str, float]) -> list[str]:
    """Return why ``inputs`` (tag -> value in the card's unit) leave the valid space; [] if not.

    A tag that the card does not name is not judged; a named tag that is missing is not either:
    which inputs must be there is the process model's business. NaN is outside.
    """
    reasons = []
    for entry in card.inputs:
        value = inputs.get(entry.tag)
        if value is not None and not float(entry.low) <= value <= float(entry.high):
            reasons.append(
                f"{entry.tag} {value:g} {entry.unit} is outside {entry.low} to {entry.high}"
            )
    return reasons


def read_scores(content: Any) -> dict[str, Any]:
    """Return checked scores: ``{"data_set", "batches", "metrics": {name: {...}}}``.

    ``data_set`` is the digest of the described set they were computed on. Each metric holds
    ``value`` and ``unit`` and, where there are any, ``baselines`` (name -> value) of naive
    forecasts on the same samples. All values are decimal texts.
    """
    told = _object(content, "scores")
    flaws = []
    if not _is_digest(told.get("data_set")):
        flaws.append("data_set must be the SHA-256 (hex) of the scored set's description")
    if not isinstance(told.get("batches"), int) or told["batches"] < 1:
        flaws.append("batches must be the number of scored batches")
    metrics = told.get("metrics")
    if not isinstance(metrics, dict) or not metrics:
        flaws.append("metrics must hold at least one score")
    else:
        flaws += [flaw for name, entry in metrics.items() for flaw in _metric_flaws(name, entry)]
    if flaws:
        raise CardRefused("scores: " + "; ".join(flaws))
    return told


def judge(card: Card, scores: Mapping[str, Any] | None) -> list[Verdict]:
    """Return each criterion's verdict; what was not computed is not met."""
    metrics = (scores or {}).get("metrics", {})
    return [_verdict(criterion, metrics.get(criterion.metric)) for criterion in card.criteria]


def _verdict(criterion: Criterion, entry: Mapping[str, Any] | None) -> Verdict:
    if entry is None or entry["unit"] != criterion.unit:
        return Verdict(criterion, None, is_met=False)
    reached, limit = float(entry["value"]), float(criterion.limit)
    is_met = reached <= limit if criterion.comparison == "at_most" else reached >= limit
    return Verdict(criterion, entry["value"], is_met=is_met)


def _object(content: Any, what: str) -> dict[str, Any]:
    if isinstance(content, str | bytes):
        try:
            content = json.loads(content)
        except ValueError as error:
            raise CardRefused(f"{what}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise CardRefused(f"{what}: must be a JSON object")
    if (size := len(json.dumps(content, ensure_ascii=False).encode())) > LARGEST:
        raise CardRefused(f"{what}: {size} bytes, at most {LARGEST} are kept")
    return content


TEXTS = ("intended_use", "impact")
LISTS = ("inputs", "outputs", "assumptions", "known_limits", "criteria")


def _shape_flaws(told: Mapping[str, Any]) -> list[str]:
    members = (*TEXTS, *LISTS, "credibility")
    flaws = [f"{name} is missing" for name in members if name not in told]
    flaws += [f"{name} is not known" for name in told if name not in members]
    flaws += [f"{name} must be a text" for name in TEXTS if not isinstance(told.get(name, ""), str)]
    flaws += [
        f"{name} must be a list" for name in LISTS if not isinstance(told.get(name, []), list)
    ]
    if not isinstance(told.get("credibility", {}), dict):
        flaws.append("credibility must be an object")
    return flaws


def _content_flaws(told: Mapping[str, Any]) -> list[str]:
    flaws = [] if told["intended_use"].strip() else ["intended_use is empty"]
    if told["impact"] not in IMPACTS:
        flaws.append(f"impact must be one of {', '.join(IMPACTS)}")
    flaws += [
        f"{name} must hold texts"
        for name in ("outputs", "assumptions", "known_limits")
        if not all(isinstance(entry, str) and entry.strip() for entry in told[name])
    ]
    for place, entry in enumerate(told["inputs"]):
        flaws += _input_flaws(f"inputs[{place}]", entry)
    for place, entry in enumerate(told["criteria"]):
        flaws += _criterion_flaws(f"criteria[{place}]", entry)
    flaws += [
        f"credibility.{name} must be a text"
        for name in CREDIBILITY
        if not isinstance(told["credibility"].get(name), str)
    ]
    return flaws


def _input_flaws(place: str, entry: Any) -> list[str]:
    if flaws := _entry_flaws(place, entry, ("tag", "unit", "low", "high")):
        return flaws
    if not (_is_number(entry["low"]) and _is_number(entry["high"])):
        return [f"{place}: low and high must be decimal texts"]
    if float(entry["low"]) > float(entry["high"]):
        return [f"{place}: low {entry['low']} is above high {entry['high']}"]
    return []


def _criterion_flaws(place: str, entry: Any) -> list[str]:
    names = ("metric", "comparison", "limit", "unit", "why")
    if flaws := _entry_flaws(place, entry, names):
        return flaws
    flaws = []
    if entry["comparison"] not in COMPARISONS:
        flaws.append(f"{place}: comparison must be one of {', '.join(COMPARISONS)}")
    if not _is_number(entry["limit"]):
        flaws.append(f"{place}: limit must be a decimal text")
    return flaws


def _metric_flaws(name: str, entry: Any) -> list[str]:
    if not isinstance(entry, dict) or not isinstance(entry.get("unit"), str):
        return [f"metrics.{name} must be an object with value and unit"]
    values = [entry.get("value"), *entry.get("baselines", {}).values()]
    if not all(_is_number(value) for value in values):
        return [f"metrics.{name}: value and baselines must be decimal texts"]
    return []


def _entry_flaws(place: str, entry: Any, names: tuple[str, ...]) -> list[str]:
    if not isinstance(entry, dict) or set(entry) != set(names):
        return [f"{place} must be an object of {', '.join(names)}"]
    return [f"{place}: {name} must be a text" for name in names if not isinstance(entry[name], str)]


def _is_number(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
