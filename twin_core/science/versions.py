"""A model version as frozen data: one canonical JSON text, named by its SHA-256.

Every number is the shortest decimal string that reads back to the same double, so the text
holds no floating-point literal and a ledger can carry it. Nothing in it is executable.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twin_core.science.kernel import Kernel, build, equations_digest
from twin_core.science.population import Array, Noise, Population
from twin_core.science.twins import ProcessModel

FORMAT = "twin-model-version/1"


class VersionRefused(ValueError):
    """The text is not a version that this software can run; the message says why."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version ready for use; ``content`` is what was frozen, ``digest`` its SHA-256."""

    content: Mapping[str, Any]
    digest: str
    model: ProcessModel
    kernel: Kernel
    population: Population
    draws: Array  # stored standard normal numbers, one row a member
    noise_draws: Array  # the same for the measurement error, one column a tag


def canonical(content: object) -> str:
    """Return the one text of a content: sorted keys, no spaces, no floats.

    Raises TypeError for a float: write it with ``decimal_text`` first.
    """
    refuse_floats(content)
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def refuse_floats(content: object) -> None:
    """Raise TypeError when a float stands anywhere in the content."""
    if isinstance(content, float):
        raise TypeError(f"{content!r} is a float: numbers are stored as decimal strings")
    if isinstance(content, Mapping):
        for value in content.values():
            refuse_floats(value)
    elif isinstance(content, Sequence) and not isinstance(content, str):
        for value in content:
            refuse_floats(value)


def decimal_text(value: float) -> str:
    """Return the shortest decimal string that reads back to the same double."""
    value = float(value)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{value} has no decimal text")
    return repr(value + 0.0 if value != 0.0 else 0.0)


def texts(values: Sequence[float] | Array) -> list[str]:
    """Return the decimal strings of a row of numbers."""
    return [decimal_text(value) for value in values]


def numbers(values: Sequence[str]) -> Array:
    """Return the doubles of a row of decimal strings."""
    return np.array([float(value) for value in values])


def freeze(content: Mapping[str, Any]) -> tuple[str, str]:
    """Return (canonical text, SHA-256) of a version's content."""
    text = canonical(content)
    return text, hashlib.sha256(text.encode()).hexdigest()


def thaw(text: str, model: ProcessModel, *, digest: str | None = None) -> ModelVersion:
    """Return the version of a canonical text, ready for use with its process model.

    Raises VersionRefused when the text is not canonical, its digest is not the one asked for,
    or it was made with other equations than those installed.
    """
    found = hashlib.sha256(text.encode()).hexdigest()
    if digest is not None and found != digest:
        raise VersionRefused(f"digest is {found}, asked for {digest}: do not use this file")
    try:
        content = json.loads(text, parse_float=refuse_literal)
    except json.JSONDecodeError as flaw:
        raise VersionRefused(f"not JSON: {flaw}") from flaw
    if canonical(content) != text:
        raise VersionRefused("not in canonical form: it was changed after freezing")
    return activate(content, found, model)


def refuse_literal(literal: str) -> float:
    """Refuse a floating-point literal in a version."""
    raise VersionRefused(f"floating-point literal {literal}: numbers are decimal strings")


def activate(content: Mapping[str, Any], digest: str, model: ProcessModel) -> ModelVersion:
    """Return the version of a content, after checking that it fits software and template."""
    if content.get("format") != FORMAT:
        raise VersionRefused(f"format is {content.get('format')!r}, expected {FORMAT!r}")
    if content["template"] != model.name:
        raise VersionRefused(f"made for template {content['template']!r}, not {model.name!r}")
    installed = equations_digest(model.equations)
    if content["equations"] != installed:
        raise VersionRefused(
            f"made with equations {content['equations'][:16]}, installed are {installed[:16]}: "
            "calibrate again or install the software it was made with"
        )
    noise = content["noise"]
    population = Population(
        numbers(content["population"]["mean"]),
        lower_triangle(content["population"]["factor"]),
        Noise(
            numbers([noise[tag.name]["relative"] for tag in model.tags]),
            numbers([noise[tag.name]["absolute"] for tag in model.tags]),
        ),
    )
    sample = content["posterior_sample"]
    return ModelVersion(
        content,
        digest,
        model,
        build(model.equations),
        population,
        np.array([numbers(row) for row in sample["members"]]),
        np.array([numbers(row) for row in sample["measurement_errors"]]),
    )


def lower_triangle(rows: Sequence[Sequence[str]]) -> Array:
    """Return a square matrix from the rows of its lower triangle."""
    factor = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        factor[i, : i + 1] = numbers(row)
    return factor
