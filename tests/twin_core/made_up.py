"""Made-up courses, forecasts and evidence in the shapes of the real ones."""

import hashlib
import math
from typing import Any

from audit import api as audit
from models_registry.api import ModelVersion
from twin_core.models import Forecast

UNITS = {
    "viable_cell_density": "1e6 cells/mL",
    "viability": "%",
    "glucose": "mM",
    "glutamine": "mM",
    "lactate": "mM",
    "ammonia": "mM",
    "titer": "g/L",
    "temperature": "degC",
    "ph": "pH",
    "dissolved_oxygen": "% air saturation",
    "volume": "L",
    "feed.rate": "mL/h",
    "temperature.setpoint": "degC",
}
LABORATORY = ("viable_cell_density", "viability", "glucose", "glutamine", "lactate", "ammonia",
              "titer")  # fmt: skip
ONLINE = ("temperature", "ph", "dissolved_oxygen", "volume")


def curve(tag: str, hours: float) -> float:
    """Return a smooth made-up course of a tag."""
    cells = 18 / (1 + math.exp(-(hours - 110) / 24)) * math.exp(-max(0.0, hours - 190) / 260)
    return {
        "viable_cell_density": cells,
        "viability": 98 - max(0.0, hours - 120) / 9,
        "glucose": 32 - hours / 9 + 3 * math.sin(hours / 18),
        "glutamine": 4 * math.exp(-hours / 70),
        "lactate": 18 * math.exp(-(((hours - 90) / 50) ** 2)),
        "ammonia": 1 + hours / 60,
        "titer": 0.016 * hours * cells / 14,
        "temperature": 37.0 if hours < 120 else 34.5,
        "ph": 7.02 + 0.02 * math.sin(hours / 7),
        "dissolved_oxygen": 40 + 3 * math.sin(hours / 5),
        "volume": 3.0 + hours / 280,
        "feed.rate": 0.0 if hours < 48 else 5.2 if hours < 120 else 6.4,
        "temperature.setpoint": 37.0 if hours < 120 else 34.5,
    }[tag]


def text(value: float) -> str:
    return audit.number(round(value, 5), "1")["value"]


def band(tag: str, hours: float, spread: float) -> dict[str, str]:
    mean = curve(tag, hours)
    return {
        "mean": text(mean),
        "lo90": text(mean * (1 - spread)),
        "hi90": text(mean * (1 + spread)),
    }


def rows(tags: tuple[str, ...], now_h: float, until_h: float, *, factor: float = 1.0) -> list[Any]:
    """Return forecast rows every 3 h, bands widening with the horizon."""
    made = []
    for tag in tags:
        for step in range(int((until_h - now_h) // 3) + 1):
            at = now_h + 3 * step
            told = band(tag, at, 0.02 + (at - now_h) / 1200)
            if factor != 1.0:
                told = {key: text(float(value) * factor) for key, value in told.items()}
            made.append({"time_h": text(at), "tag": tag, "unit": UNITS[tag], **told})
    return made


def verdicts(undecided: str = "") -> list[dict[str, Any]]:
    kept = {"verdict": "kept", "measure": "1.2", "threshold": "3", "locks": ["recommendation"]}
    broken = {"verdict": "broken", "measure": "3.4", "threshold": "3", "locks": ["forecast"]}
    return [
        kept | {"name": "glucose lies in the trained range", "why": ""},
        {"name": "the last count fits the estimate", **(broken if undecided else kept)}
        | {"why": undecided},
    ]


TITLES = {
    "feed.rate": "Feed rate from 6.4 to 8.2 mL/h",
    "temperature.setpoint": "Temperature set point from 34.5 to 33.5 degC",
    "harvest": "Harvest at 288 h",
}
WORDS: dict[str, Any] = {
    "format": 1,
    "why": [
        "Expected product at harvest rises by 11.2 % against the present set points: 14.1 g "
        "instead of 12.7 g.",
        "Harvest would be at 288 h (without the change at 276 h).",
    ],
    "confidence": "93 % of the model's members end with more product than without the change.",
    "limits": [
        {"tag": "viability", "unit": "%", "low": "70", "high": None},
        {"tag": "lactate", "unit": "mM", "low": None, "high": "40"},
    ],
    "tag_map": hashlib.sha256(b"tag map").hexdigest(),
}
HARVEST_H = 288.0


def observed(*, is_simulated: bool) -> tuple[str, ...]:
    """Return what the laboratory measures on a unit."""
    return LABORATORY if is_simulated else LABORATORY[:2]


def document(found: Forecast, version: ModelVersion, tag: str, told: dict[str, Any]) -> Any:
    """Return evidence in the shape of ``twin_core.insight.evidence``."""
    tags, at_h = observed(is_simulated=found.batch.is_simulated), float(found.issued_h)
    return WORDS | {
        "title": TITLES[tag],
        "tag": tag,
        **told,
        "at_h": text(at_h),
        "harvest_h": text(HARVEST_H),
        "effects": [effect(one) for one in tags],
        "courses": {
            "advised": rows(tags, at_h, HARVEST_H, factor=1.1),
            "untouched": rows(tags, at_h, HARVEST_H),
        },
        "alternatives": [alternative(tag, told["unit"], at_h)],
        "assumptions": verdicts(),
        "allowed": None if tag == "harvest" else ["0", "15"],
        "batch": found.batch.number,
        "is_simulated": found.batch.is_simulated,
        "issued_h": str(found.issued_h),
        "inputs": found.estimate.inputs,
        "estimate": bytes(found.estimate.record.leaf).hex(),
        "forecast": bytes(found.record.leaf).hex(),
        "model": {
            "name": version.name,
            "digest": version.artefact_digest,
            "record": bytes(version.record.leaf).hex(),
        },
    }


def effect(tag: str) -> dict[str, Any]:
    untouched = band(tag, HARVEST_H, 0.08)
    return {
        "tag": tag,
        "unit": UNITS[tag],
        "advised": {key: text(float(value) * 1.1) for key, value in untouched.items()},
        "untouched": untouched,
        "is_met": {"viability": True, "lactate": False}.get(tag),
    }


def alternative(tag: str, unit: str, at_h: float) -> dict[str, Any]:
    return {
        "changes": [{"tag": tag, "value": "7.4", "unit": unit, "time_h": text(at_h)}],
        "harvest_h": "282",
        "product_g": "13.4",
        "margin": None,
        "share_better": "0.81",
    }
