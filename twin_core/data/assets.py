"""Asset files: what a batch on an asset begins with, and the limits its charts and advice keep.

A YAML file, loaded by its signed digest like a tag map. Keys: ``format`` (1), ``asset``, ``name``,
``template``, ``planned_h``, ``attributes`` (facts of each batch that its process model needs) and
``limits`` (tag -> low, high, words: the design space that pages draw; ``decides: true`` where a
forecast that crosses the limit ends the batch, as a CQA does).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from django.db import transaction

from audit import api as audit
from twin_core.data import configuration
from twin_core.lifecycle.trust import Level
from twin_core.models import ConfigurationFile, Equipment

KEYS = {"format", "asset", "name", "template", "planned_h", "attributes", "limits"}


class AssetFileInvalid(ValueError):
    """An asset file that cannot be used; the text names file and key."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A design limit of one tag, in the tag's unit; None where there is none on that side."""

    tag: str
    low: float | None
    high: float | None
    words: str
    decides: bool = False  # harvest comes before this limit is crossed


@dataclass(frozen=True, slots=True)
class Asset:
    """What an asset file says."""

    asset: str
    name: str
    template: str
    planned_h: float
    attributes: Mapping[str, str]
    limits: Mapping[str, Limit]


def of(equipment: Equipment) -> Asset:
    """Return the signed asset file; raises configuration.NotTheSignedFile or AssetFileInvalid."""
    content = configuration.load(equipment, ConfigurationFile.Kind.LIMITS)
    return parse(content, name=f"{equipment.tag}.asset.yaml")


@transaction.atomic
def enter(asset: Asset, *, actor: Any, reason: str) -> Equipment:
    """Enter an asset that has a twin, trusted with nothing: it is only monitored."""
    equipment = Equipment(
        tag=asset.asset, name=asset.name, template=asset.template, trust=Level.MONITOR
    )
    record = audit.append(
        stream=f"equipment/{equipment.tag}",
        kind="twin_core.equipment.entered",
        actor=actor,
        subject=equipment,
        new=equipment.state_fields(),
        reason=reason,
    )
    equipment.save(record=record)
    return equipment


def parse(content: bytes, *, name: str) -> Asset:
    """Return the asset of these bytes; AssetFileInvalid names the key that does not fit."""
    try:
        found = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise AssetFileInvalid(f"{name}: is not YAML: {error}") from error
    if not isinstance(found, dict) or set(found) != KEYS or found["format"] != 1:
        raise AssetFileInvalid(f"{name}: needs exactly the keys {sorted(KEYS)}, format 1")
    try:
        return Asset(
            asset=str(found["asset"]),
            name=str(found["name"]),
            template=str(found["template"]),
            planned_h=float(found["planned_h"]),
            attributes={str(k): str(v) for k, v in found["attributes"].items()},
            limits={tag: _limit(name, tag, row) for tag, row in found["limits"].items()},
        )
    except AssetFileInvalid:
        raise
    except (AttributeError, TypeError, ValueError) as error:
        raise AssetFileInvalid(f"{name}: {error}") from error


def _limit(name: str, tag: str, row: Any) -> Limit:
    if not isinstance(row, dict) or not set(row) <= {"low", "high", "words", "decides"}:
        raise AssetFileInvalid(f"{name}: limits.{tag} takes low, high, words and decides")
    low, high = (None if row.get(k) is None else float(row[k]) for k in ("low", "high"))
    if not all(math.isfinite(bound) for bound in (low, high) if bound is not None):
        raise AssetFileInvalid(f"{name}: limits.{tag}: a bound is no finite number")
    if low is not None and high is not None and low >= high:
        raise AssetFileInvalid(f"{name}: limits.{tag}: low is not below high")
    return Limit(tag, low, high, str(row.get("words", "")), row.get("decides") is True)
