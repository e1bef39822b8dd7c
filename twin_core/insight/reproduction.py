"""Compute a decision again from its capsule alone, and compare byte for byte."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from audit import api as audit
from twin_core.data import assets
from twin_core.insight import advice, capsule, documents, estimates, evidence, templates
from twin_core.science import estimation, forecasting, versions
from twin_core.science.tag_map import parse_tag_map


class CapsuleRefused(Exception):
    """A file that is no sound capsule; the text says what does not fit."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where the computed differs from the stored."""

    part: str
    path: str
    stored: str
    computed: str

    def __str__(self) -> str:
        return f"{self.part} at {self.path}: stored {self.stored}, computed {self.computed}"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What was computed again; ``difference`` is None when every byte is the same."""

    digest: str
    title: str
    parts: tuple[str, ...]
    difference: Difference | None


def reproduce(text: bytes) -> Reproduction:
    """Check a capsule and compute estimate, forecast and advice again.

    Raises CapsuleRefused when the file is damaged; versions.VersionRefused when this software
    cannot run the model version that it carries.
    """
    told = _read(text)
    blobs = {digest: base64.b64decode(content) for digest, content in told["blobs"].items()}
    inputs = audit.decode(blobs[told["estimate"]["inputs"]])
    stored = audit.decode(blobs[told["recommendation"]["content"]])
    done: list[str] = []
    difference = None
    for part, expected, found in _parts(told, blobs, inputs, stored):
        done.append(part)
        if audit.encode(expected) != audit.encode(found):
            difference = first_difference(part, expected, found)
            break
    return Reproduction(
        hashlib.sha256(text).hexdigest(), str(stored["title"]), tuple(done), difference
    )


def _parts(
    told: dict[str, Any], blobs: dict[str, bytes], inputs: dict[str, Any], stored: dict[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Yield (part, stored, computed), each from the stored parts before it."""
    model = templates.process_model(inputs["batch"]["template"])
    digest = told["model"]["artefact_digest"]
    version = versions.thaw(blobs[digest].decode(), model, digest=digest)
    yield from _inputs_again(told, inputs, model)
    found = estimates.compute(inputs, version)
    yield (
        "estimate",
        audit.decode(blobs[told["estimate"]["content"]]),
        estimation.estimate_content(found, version),
    )
    yield (
        "forecast",
        audit.decode(blobs[told["forecast"]["content"]]),
        forecasting.forecast_content(forecasting.forecast(version, found)),
    )
    ground = advice.Ground(
        assets.parse(blobs[stored["files"]["asset"]], name="asset file"),
        parse_tag_map(blobs[stored["files"]["tag_map"]], name="tag map"),
    )
    points = {tag: ground.tag_map.setpoints[tag] for tag in stored["free"]}
    made = advice.compute(version, found, ground, points=points)
    computed = evidence.computed(made, ground, version) if made is not None else {}
    yield "advice", {key: stored[key] for key in stored if key in computed or not made}, computed


def _inputs_again(
    told: dict[str, Any], inputs: dict[str, Any], model: Any
) -> Iterator[tuple[str, Any, Any]]:
    """Yield what the input document took from the segments, taken again."""
    entries = {entry["id"]: entry for entry in told["segments"]}
    used = [
        SimpleNamespace(pk=entry["id"], tag=entry["tag"], unit=entries[entry["id"]]["unit"])
        for entry in inputs["segments"]
    ]
    points = {key: capsule.points_of(entry) for key, entry in entries.items()}
    at_h = Decimal(inputs["at_h"])
    yield "online samples", inputs["online"], documents.online(used, points, model, at_h)
    yield "set points", inputs["events"], documents.events(used, points, model, at_h)


def _read(text: bytes) -> dict[str, Any]:
    try:
        told = audit.decode(text)
    except audit.NotCanonical as error:
        raise CapsuleRefused(f"not canonical JSON: {error}") from error
    if not isinstance(told, dict) or told.get("capsule") != capsule.FORMAT:
        raise CapsuleRefused(f"not a capsule of format {capsule.FORMAT}")
    for digest, content in told["blobs"].items():
        if hashlib.sha256(base64.b64decode(content)).hexdigest() != digest:
            raise CapsuleRefused(f"content {digest} has another digest")
    _check_records(told)
    return told


def _check_records(told: dict[str, Any]) -> None:
    """Each state that the capsule shows must be told by one of its records."""
    news = [
        change["new"]
        for payload in told["records"]
        for change in audit.decode(payload.encode())["changes"]
    ]
    for name in ("recommendation", "estimate", "forecast", "model", "write"):
        if told[name] is not None:
            state = {key: value for key, value in told[name].items() if key != "id"}
            if state not in news:
                raise CapsuleRefused(f"no record in the capsule tells its {name}")


def first_difference(part: str, stored: Any, computed: Any, path: str = "$") -> Difference | None:
    """Return the first place where two documents differ, None when they are equal."""
    if isinstance(stored, dict) and isinstance(computed, dict):
        for key in sorted(set(stored) | set(computed)):
            inner = first_difference(
                part, stored.get(key, ABSENT), computed.get(key, ABSENT), f"{path}.{key}"
            )
            if inner is not None:
                return inner
        return None
    if isinstance(stored, list) and isinstance(computed, list):
        for place in range(max(len(stored), len(computed))):
            one, other = (
                rows[place] if place < len(rows) else ABSENT for rows in (stored, computed)
            )
            inner = first_difference(part, one, other, f"{path}[{place}]")
            if inner is not None:
                return inner
        return None
    if stored == computed:
        return None
    return Difference(part, path, str(stored)[:200], str(computed)[:200])


ABSENT = "(absent)"
