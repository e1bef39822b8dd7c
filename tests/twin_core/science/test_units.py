"""The closed list of units at the border."""

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_core.science.units import (
    UnitMismatch,
    UnknownUnit,
    are_compatible,
    convert,
    from_si,
    known_units,
    si_unit,
    to_si,
)

KNOWN_VALUES = [
    (37.0, "degC", 310.15, "K"),
    (12.5, "1e6 cells/mL", 12.5e12, "1/m3"),
    (7.05, "pH", 7.05, "pH"),
    (40.0, "% air saturation", 0.4, "of air saturation"),
    (25.0, "mM", 25.0, "mol/m3"),
    (3.2, "g/L", 3.2, "kg/m3"),
    (3600.0, "mL/h", 1e-6, "m3/s"),
    (2.0, "L", 0.002, "m3"),
    (95.0, "%", 0.95, "1"),
    (14.0, "um", 14e-6, "m"),
    (120.0, "rpm", 2.0, "1/s"),
    (1.5, "h", 5400.0, "s"),
]


@pytest.mark.requirement("URS-PLT-002")
@pytest.mark.parametrize(("value", "unit", "si", "shown"), KNOWN_VALUES)
def test_a_listed_unit_converts_to_si_and_says_which(value, unit, si, shown):
    assert to_si(value, unit) == pytest.approx(si, rel=1e-15)
    assert si_unit(unit) == shown


@given(st.sampled_from(known_units()), st.floats(min_value=-1e6, max_value=1e6))
def test_every_listed_unit_comes_back_from_si(unit, value):
    assert from_si(to_si(value, unit), unit) == pytest.approx(value, rel=1e-12, abs=1e-10)


@pytest.mark.parametrize("unit", ["degC", "mL/h", "g/L", "um", "mbar", "L/h", "mg/L", "d", "1/h"])
def test_plain_units_agree_with_pints_own_floats(unit):
    registry = pint.UnitRegistry()
    base = registry.Quantity(3.7, unit.replace("um", "micrometer")).to_base_units()
    assert to_si(3.7, unit) == pytest.approx(base.magnitude, rel=1e-14)


@pytest.mark.requirement("URS-PLT-002")
@pytest.mark.parametrize("unit", ["", "furlong", "ph", "PH", "Celsius", "mm Hg", "%sat", None, 3])
def test_a_unit_outside_the_list_is_refused_with_what_is_known(unit):
    with pytest.raises(UnknownUnit, match=r"not known; known are: .*1e6 cells/mL"):
        to_si(1.0, unit)


@pytest.mark.requirement("URS-PLT-002")
@pytest.mark.parametrize(
    ("unit", "wanted"),
    [("pH", "1"), ("% air saturation", "%"), ("mM", "g/L"), ("cells/mL", "1"), ("rpm", "1/h")],
)
def test_units_of_different_kinds_do_not_convert(unit, wanted):
    assert not are_compatible(unit, wanted)
    with pytest.raises(UnitMismatch, match="does not measure"):
        convert(1.0, unit, wanted)


def test_compatible_units_convert_and_equal_ones_are_untouched():
    assert convert(1.0, "mL/min", "mL/h") == pytest.approx(60.0)
    assert convert(0.1 + 0.2, "mM", "mM") == 0.1 + 0.2
