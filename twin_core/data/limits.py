"""Whether an advised value may be asked of the plant: range, step and unit of its write point."""

from typing import Any

from twin_core.data import configuration
from twin_core.models import ConfigurationFile, Equipment, Recommendation
from twin_core.science.tag_map import TagMap, WritePoint, parse_tag_map


def tag_map(equipment: Equipment) -> TagMap:
    """Return the signed tag map of an asset; raises configuration.NotTheSignedFile."""
    content = configuration.load(equipment, ConfigurationFile.Kind.TAG_MAP)
    return parse_tag_map(content, name=f"{equipment.tag}.tags.yaml")


def write_point(equipment: Equipment, tag: str) -> WritePoint | None:
    return tag_map(equipment).setpoints.get(tag)


def refusals(recommendation: Recommendation) -> list[str]:
    """Return why an advised value may not be written; empty when it may or nothing is written."""
    if not recommendation.is_writable:
        return []
    try:
        point = write_point(recommendation.batch.equipment, recommendation.tag)
    except (configuration.NotTheSignedFile, ValueError) as error:
        return [str(error)]
    return out_of_bounds(
        point,
        value=float(recommendation.value),
        unit=recommendation.unit,
        current=float(recommendation.current_value) if recommendation.current_value else None,
    )


def out_of_bounds(
    point: WritePoint | None, *, value: float, unit: str, current: float | None
) -> list[str]:
    """Return every bound of a write point that a value breaks. NaN breaks them all."""
    if point is None or not point.writable:
        return ["the tag map names no such write point"]
    found: list[Any] = []
    low, high = point.limits
    if unit != point.unit:
        found.append(f"unit is {unit}, the write point takes {point.unit}")
    if not low <= value <= high:
        found.append(f"{value} is outside {low} to {high} {point.unit}")
    if current is not None and not abs(value - current) <= point.max_step + 1e-9:
        found.append(f"a step from {current} to {value} is more than {point.max_step} {unit}")
    return found
