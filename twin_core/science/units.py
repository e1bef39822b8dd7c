"""Units at the border: a closed list of spellings, converted to SI and back.

Nothing that is not listed here is guessed. pint does the arithmetic of the definitions below,
exactly (rational numbers); it never sees text from outside, because it reads ``pH`` as picohenry
and refuses a factor in a unit such as ``1e6 cells/mL``.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from types import MappingProxyType
from typing import Any


class UnknownUnit(ValueError):
    """The spelling is not in the list."""


class UnitMismatch(ValueError):
    """Two units measure different things."""


@dataclass(frozen=True, slots=True)
class _Row:
    pint: str  # expression in the registry below
    si: str  # the same quantity in SI, as pint reads it
    shown: str  # the SI unit as we write it
    scale: Fraction = Fraction(1)


# Quantities that are no SI dimension but must not be mixed with plain numbers or each other.
_OWN_DIMENSIONS = (
    "twin_cell = [twin_cell]",
    "twin_acidity = [twin_acidity]",
    "twin_air_saturation = [twin_air_saturation]",
    "twin_turn = [twin_turn]",
    "twin_osmole = [twin_osmole]",
)
_PERCENT = Fraction(1, 100)
_CELLS = ("twin_cell/meter**3", "1/m3")
_MOLAR = ("mole/meter**3", "mol/m3")
_MASS_PER_VOLUME = ("kilogram/meter**3", "kg/m3")
_FLOW = ("meter**3/second", "m3/s")
_VOLUME = ("meter**3", "m3")
_PRESSURE = ("pascal", "Pa")
_TIME = ("second", "s")

UNITS = MappingProxyType(
    {
        "1": _Row("dimensionless", "dimensionless", "1"),
        "%": _Row("dimensionless", "dimensionless", "1", _PERCENT),
        "1e6 cells/mL": _Row("twin_cell/milliliter", *_CELLS, Fraction(10**6)),
        "cells/mL": _Row("twin_cell/milliliter", *_CELLS),
        "pH": _Row("twin_acidity", "twin_acidity", "pH"),
        "% air saturation": _Row(
            "twin_air_saturation", "twin_air_saturation", "of air saturation", _PERCENT
        ),
        "mol/L": _Row("mole/liter", *_MOLAR),
        "mM": _Row("millimole/liter", *_MOLAR),
        "mmol/L": _Row("millimole/liter", *_MOLAR),
        "g/L": _Row("gram/liter", *_MASS_PER_VOLUME),
        "mg/L": _Row("milligram/liter", *_MASS_PER_VOLUME),
        "mOsm/kg": _Row(
            "twin_osmole/kilogram", "twin_osmole/kilogram", "Osm/kg", Fraction(1, 1000)
        ),
        "L": _Row("liter", *_VOLUME),
        "mL": _Row("milliliter", *_VOLUME),
        "m3": _Row("meter**3", *_VOLUME),
        "L/h": _Row("liter/hour", *_FLOW),
        "mL/h": _Row("milliliter/hour", *_FLOW),
        "mL/min": _Row("milliliter/minute", *_FLOW),
        "m3/s": _Row("meter**3/second", *_FLOW),
        "kg": _Row("kilogram", "kilogram", "kg"),
        "g": _Row("gram", "kilogram", "kg"),
        "degC": _Row("degC", "kelvin", "K"),
        "K": _Row("kelvin", "kelvin", "K"),
        "um": _Row("micrometer", "meter", "m"),
        "mm": _Row("millimeter", "meter", "m"),
        "m": _Row("meter", "meter", "m"),
        "rpm": _Row("twin_turn/minute", "twin_turn/second", "1/s"),
        "bar": _Row("bar", *_PRESSURE),
        "mbar": _Row("millibar", *_PRESSURE),
        "Pa": _Row("pascal", *_PRESSURE),
        "d": _Row("day", *_TIME),
        "h": _Row("hour", *_TIME),
        "min": _Row("minute", *_TIME),
        "s": _Row("second", *_TIME),
        "1/h": _Row("1/hour", "1/second", "1/s"),
    }
)


def known_units() -> tuple[str, ...]:
    return tuple(UNITS)


def si_unit(unit: str) -> str:
    """Return how we write the SI unit that ``unit`` converts to."""
    return _row(unit).shown


def to_si(value: float, unit: str) -> float:
    """Return ``value`` (in ``unit``) in SI; works on arrays too. UnknownUnit when not listed."""
    factor, offset = _conversion(unit)
    return value * factor + offset


def from_si(value: float, unit: str) -> float:
    """Return ``value`` (in SI) in ``unit``; works on arrays too. UnknownUnit when not listed."""
    factor, offset = _conversion(unit)
    return (value - offset) / factor


def convert(value: float, unit: str, wanted: str) -> float:
    """Return ``value`` (in ``unit``) in ``wanted``; UnitMismatch when they differ in kind."""
    if unit == wanted:
        _row(unit)
        return value
    if not are_compatible(unit, wanted):
        raise UnitMismatch(f"{unit!r} does not measure the same quantity as {wanted!r}")
    return from_si(to_si(value, unit), wanted)


def are_compatible(unit: str, other: str) -> bool:
    """Tell whether both units measure the same kind of quantity."""
    return _row(unit).si == _row(other).si


def _row(unit: str) -> _Row:
    try:
        return UNITS[unit]
    except (KeyError, TypeError):
        raise UnknownUnit(f"unit {unit!r} is not known; known are: {', '.join(UNITS)}") from None


@cache
def _conversion(unit: str) -> tuple[float, float]:
    """Return (factor, offset) of ``si = value * factor + offset``, each rounded once."""
    row = _row(unit)
    zero, one = (_magnitude(row, Fraction(n)) for n in (0, 1))
    return float(one - zero), float(zero)


def _magnitude(row: _Row, value: Fraction) -> Fraction:
    quantity = _registry().Quantity(value * row.scale, row.pint)
    return quantity.to(row.si).magnitude


@cache
def _registry() -> Any:
    import pint  # half a second: only who converts pays for it

    registry: Any = pint.UnitRegistry(non_int_type=Fraction, cache_folder=None)
    for definition in _OWN_DIMENSIONS:
        registry.define(definition)
    return registry
