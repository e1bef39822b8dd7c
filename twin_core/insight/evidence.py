"""The evidence document of a recommendation: what, why, expected effect, confidence, inputs."""

from typing import TYPE_CHECKING, Any

from models_registry import api as registry
from twin_core.models import Forecast
from twin_core.science import optimisation
from twin_core.science.estimation import verdict_content
from twin_core.science.forecasting import Row
from twin_core.science.versions import ModelVersion, decimal_text

if TYPE_CHECKING:
    from twin_core.insight.advice import Advice, Ground

WORDS = {
    "feed.rate": "feed rate",
    "temperature.setpoint": "temperature set point",
    "harvest": "harvest",
}
FORMAT = 1


def document(
    forecast: Forecast,
    advice: "Advice",
    ground: "Ground",
    version: ModelVersion,
    *,
    free: list[str],
    files: dict[str, str],
) -> dict[str, Any]:
    """Return the evidence as one canonical document: numbers as decimal strings.

    ``free`` names the write points that could be moved at that moment, ``files`` the digests of
    the asset file and the tag map, kept as blobs.
    """
    estimate = forecast.estimate
    return {
        "format": FORMAT,
        **computed(advice, ground, version),
        "batch": forecast.batch.number,
        "is_simulated": forecast.batch.is_simulated,
        "issued_h": str(forecast.issued_h),
        "inputs": estimate.inputs,
        "free": free,
        "files": files,
        "estimate": bytes(estimate.record.leaf).hex(),
        "forecast": bytes(forecast.record.leaf).hex(),
        "model": {
            "name": estimate.model_version.name,
            "digest": version.digest,
            "record": bytes(estimate.model_version.record.leaf).hex(),
        },
    }


def computed(advice: "Advice", ground: "Ground", version: ModelVersion) -> dict[str, Any]:
    """Return the part that is recomputed from inputs, version, asset file and tag map alone."""
    made = advice.made
    assert made.chosen is not None and made.expected is not None and made.without is not None
    return {
        "title": title(advice),
        "tag": advice.tag,
        "value": decimal_text(advice.value),
        "unit": advice.unit,
        "current": None if advice.current is None else decimal_text(advice.current),
        "at_h": decimal_text(made.now_h),
        "harvest_h": decimal_text(made.chosen.harvest_h),
        "why": why(advice),
        "confidence": confidence(advice),
        "effects": effects(advice, ground),
        "courses": {
            "advised": [_row(row) for row in made.expected.rows],
            "untouched": [_row(row) for row in made.without.rows],
        },
        "alternatives": alternatives(advice),
        "assumptions": [verdict_content(v) for v in advice.verdicts],
        "limits": [
            {
                "tag": limit.tag,
                "unit": limit.unit,
                "low": None if limit.low is None else decimal_text(limit.low),
                "high": None if limit.high is None else decimal_text(limit.high),
            }
            for limit in ground.limits
        ],
        "allowed": _allowed(advice, ground),
        "tag_map": ground.tag_map.digest,
    }


def title(advice: "Advice") -> str:
    if advice.tag == "harvest":
        return f"Harvest at {advice.value:.0f} h"
    name = WORDS.get(advice.tag, advice.tag).capitalize()
    unit = "°C" if advice.unit == "degC" else advice.unit
    if advice.current is None:
        return f"{name} to {advice.value:g} {unit}"
    return f"{name} from {advice.current:g} to {advice.value:g} {unit}"


def why(advice: "Advice") -> list[str]:
    """Return the reasons in sentences, the strongest first."""
    made = advice.made
    assert made.chosen is not None and made.nothing is not None
    if advice.tag == "harvest":
        return [
            f"Up to {advice.value:.0f} h the 90 % bands stay inside the limits; "
            "after it at least one may cross.",
            f"Expected product at harvest: {made.chosen.product_g:.3g} g.",
        ]
    gain = 100 * (made.chosen.product_g / made.nothing.product_g - 1)
    return [
        f"Expected product at harvest rises by {gain:.1f} % against the present set points: "
        f"{made.chosen.product_g:.3g} g instead of {made.nothing.product_g:.3g} g.",
        f"Harvest would be at {made.chosen.harvest_h:.0f} h "
        f"(without the change at {made.nothing.harvest_h:.0f} h).",
    ]


def confidence(advice: "Advice") -> str:
    chosen = advice.made.chosen
    assert chosen is not None
    if advice.tag == "harvest":
        return "The time follows from 90 % bands; see their width in the charts."
    return (
        f"{100 * chosen.share_better:.0f} % of the model's members end with more product than "
        "without the change."
    )


def effects(advice: "Advice", ground: "Ground") -> list[dict[str, Any]]:
    """Return each decided tag at the advised harvest, with the advice and without."""
    made = advice.made
    assert made.chosen is not None and made.expected is not None and made.without is not None
    advised = _at(made.expected.rows, made.chosen.harvest_h)
    untouched = _at(made.without.rows, made.chosen.harvest_h)
    limits = {limit.tag: limit for limit in ground.limits}
    return [
        {
            "tag": tag,
            "unit": row.unit,
            "advised": _band(row),
            "untouched": _band(untouched[tag]),
            "is_met": _is_met(row, limits.get(tag)),
        }
        for tag, row in advised.items()
        if row.status == optimisation.OK and tag in untouched
    ]


def alternatives(advice: "Advice") -> list[dict[str, Any]]:
    """Return what else was tried, with its product, and why it was not chosen."""
    chosen = advice.made.chosen
    assert chosen is not None
    rows = [
        optimisation.alternative_content(other)
        for tried in advice.tried
        for other in tried.alternatives
        if other.changes and other.changes != chosen.changes
    ]
    return sorted(
        (row for row in rows if row is not None),
        key=lambda row: (-float(row["product_g"]), str(row["changes"])),
    )[:20]


def author(version: registry.ModelVersion) -> Any:
    """Return who answers for the advice: who put its model version in force."""
    people = registry.released_by(version)
    if not people:
        raise registry.NotInForce(f"nobody's signature put {version.name} in force")
    return sorted(people)[0]


def _at(rows: tuple[Row, ...], time_h: float) -> dict[str, Row]:
    """Return for each tag the row nearest to a time."""
    found: dict[str, Row] = {}
    for row in rows:
        best = found.get(row.tag)
        if best is None or abs(row.time_h - time_h) < abs(best.time_h - time_h):
            found[row.tag] = row
    return found


def _is_met(row: Row, limit: Any) -> bool | None:
    if limit is None:
        return None
    above = limit.low is None or row.lo90 >= limit.low
    return above and (limit.high is None or row.hi90 <= limit.high)


def _band(row: Row) -> dict[str, str]:
    return {
        "mean": decimal_text(row.mean),
        "lo90": decimal_text(row.lo90),
        "hi90": decimal_text(row.hi90),
    }


def _row(row: Row) -> dict[str, str]:
    return {"tag": row.tag, "time_h": decimal_text(row.time_h), "unit": row.unit, **_band(row)}


def _allowed(advice: "Advice", ground: "Ground") -> list[str] | None:
    point = ground.tag_map.setpoints.get(advice.tag)
    return None if point is None else [decimal_text(bound) for bound in point.limits]
