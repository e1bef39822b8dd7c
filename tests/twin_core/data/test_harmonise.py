"""Raw readings: converted with the raw value beside, or refused with the reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_core.data.harmonise import FUTURE, NotUsable, Reading, harmonise
from twin_core.science.tag_map import Tag

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TAG = Tag(
    tag="temperature",
    node="x",
    source="online",
    unit="degC",
    scale=1.0,
    limits=(10.0, 50.0),
    stale_after_h=0.5,
)
READING = Reading("temperature", 36.8, "degC", "good", NOW, 98.0)


def taken(last: datetime | None = None, **changes):
    return harmonise(replace(READING, **changes), TAG, now=NOW, last=last)


@pytest.mark.requirement("URS-CON-001")
@pytest.mark.requirement("URS-CON-002")
def test_a_value_is_converted_and_keeps_raw_value_unit_time_and_quality():
    found = taken(value=309.95, unit="K")
    assert (found.value, found.unit) == (pytest.approx(36.8), "degC")
    assert (found.raw_value, found.raw_unit) == (309.95, "K")
    assert (found.source_time, found.process_h, found.quality) == (NOW, 98.0, "good")


@pytest.mark.requirement("URS-CON-002")
def test_the_scale_of_the_tag_map_comes_before_the_unit_and_the_raw_value_stays():
    found = harmonise(replace(READING, value=368), replace(TAG, scale=0.1), now=NOW, last=None)
    assert (found.value, found.raw_value) == (pytest.approx(36.8), 368.0)


REFUSED = [
    ({"quality": "bad"}, "quality is bad"),
    ({"quality": "uncertain"}, "quality is uncertain"),
    ({"unit": "spoons"}, "unit: "),
    ({"unit": "pH"}, "unit: "),
    ({"unit": ""}, "unit: "),
    ({"value": float("nan")}, "value is nan"),
    ({"value": float("inf")}, "value is inf"),
    ({"value": True}, "not a number"),
    ({"value": "36.8"}, "not a number"),
    ({"value": None}, "not a number"),
    ({"value": 9.999}, "outside what temperature can be"),
    ({"value": 50.001}, "outside what temperature can be"),
    ({"source_time": NOW + FUTURE + timedelta(microseconds=1)}, "in the future"),
    ({"process_h": float("nan")}, "process time is nan"),
    ({"process_h": -0.1}, "process time is -0.1"),
    ({"last": NOW}, "duplicate"),
    ({"last": NOW + timedelta(microseconds=1)}, "out of order"),
]


@pytest.mark.requirement("URS-CON-001")
@pytest.mark.requirement("URS-CON-003")
@pytest.mark.parametrize(("changes", "reason"), REFUSED)
def test_each_kind_of_unusable_reading_is_refused_with_its_reason(changes, reason):
    with pytest.raises(NotUsable, match=reason):
        taken(**changes)


@pytest.mark.requirement("URS-CON-003")
def test_what_lies_exactly_on_a_bound_is_used():
    for value in TAG.limits:
        assert taken(value=value).value == value
    assert taken(source_time=NOW + FUTURE).source_time == NOW + FUTURE
    assert taken(last=NOW - timedelta(microseconds=1)).value == 36.8


@pytest.mark.requirement("URS-CON-003")
@given(
    value=st.one_of(st.none(), st.booleans(), st.text(), st.floats(), st.integers()),
    unit=st.sampled_from(["degC", "K", "pH", "", "%"]),
    quality=st.sampled_from(["good", "uncertain", "bad", ""]),
    ahead=st.integers(-10, 10),
    hours=st.floats(),
)
def test_whatever_comes_is_a_sample_within_the_limits_or_a_reason(
    value, unit, quality, ahead, hours
):
    at = NOW + timedelta(seconds=ahead)
    reading = Reading("temperature", value, unit, quality, at, hours)
    try:
        found = harmonise(reading, TAG, now=NOW, last=NOW - timedelta(seconds=5))
    except NotUsable as refused:
        assert str(refused)
        assert set(reading.as_received()) >= {"value", "unit", "quality", "source_time"}
    else:
        assert quality == "good" and unit in {"degC", "K"} and -5 < ahead <= 5 and hours >= 0
        assert TAG.limits[0] <= found.value <= TAG.limits[1]
        assert found.raw_value == value
