"""What every simulated plant checks before it moves, and the raster of minutes it moves on."""

from collections.abc import Mapping
from math import isfinite

from twin_core.science.contracts import Card

TICKS_PER_HOUR = 60


def check_hours(card: Card, hours: float) -> None:
    """Raise ValueError for a length of time that is no number or shorter than a step."""
    if not (isfinite(hours) and hours >= card.step_h * (1 - 1e-9)):
        raise ValueError(f"hours must be finite and at least {card.step_h:.4f}, not {hours}")


def check_setpoints(card: Card, setpoints: Mapping[str, float]) -> None:
    """Raise ValueError for the first set point that the card does not allow."""
    known = {point.tag: point for point in card.setpoints}
    for tag, value in setpoints.items():
        if tag not in known:
            raise ValueError(f"set point {tag!r} is not known; known: {', '.join(known) or 'none'}")
        point = known[tag]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"set point {tag!r} needs a number, not {value!r}")
        if not point.low <= value <= point.high:  # false for nan too
            raise ValueError(
                f"set point {tag!r} is {value} {point.unit}, allowed is {point.low} to {point.high}"
            )
        if point.kind == "command" and value not in (0.0, 1.0):
            raise ValueError(f"command {tag!r} is 0 or 1, not {value}")


def on_raster(hours: float) -> float:
    """Snap to the minute when rounding alone separates them: 60 times 0.1 h is 6 h."""
    near = round(hours * TICKS_PER_HOUR) / TICKS_PER_HOUR
    return near if abs(near - hours) < 1e-7 else hours
