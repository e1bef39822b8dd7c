"""Readings become samples in the template's unit, or a reason why not; nothing in between."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_core.data.harmonise import FUTURE, NotUsable, Reading, harmonise
from twin_core.science.tag_map import Tag

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TAG = Tag(
    tag="temperature",
    node="P/online/temperature",
    source="online",
    unit="degC",
    scale=1.0,
    limits=(10.0, 50.0),
    stale_after_h=0.5,
)
GOOD = Reading("temperature", 36.8, "degC", "good", NOW - timedelta(seconds=1), 12.0)
LAST = NOW - timedelta(seconds=2)

UNUSABLE = [
    ("bad quality", {"quality": "bad"}, "quality is bad"),
    ("uncertain quality", {"quality": "uncertain"}, "quality is uncertain"),
    ("wrong unit", {"unit": "L"}, "unit"),
    ("unknown unit", {"unit": "degrees"}, "unit"),
    ("no unit", {"unit": ""}, "unit"),
    ("not a number", {"value": nan}, "value is nan"),
    ("infinite", {"value": inf}, "value is inf"),
    ("too large", {"value": 10**400}, "too large"),
    ("a text", {"value": "36.8"}, "not a number"),
    ("a truth value", {"value": True}, "not a number"),
    ("nothing", {"value": None}, "not a number"),
    ("duplicate", {"source_time": LAST}, "duplicate"),
    ("out of order", {"source_time": LAST - timedelta(seconds=1)}, "out of order"),
    ("future time", {"source_time": NOW + FUTURE + timedelta(seconds=1)}, "future"),
    ("below its limits", {"value": 9.99}, "outside what temperature can be"),
    ("above its limits", {"value": 50.01}, "outside what temperature can be"),
    ("process time before inoculation", {"process_h": -1.0}, "process time"),
    ("no process time", {"process_h": nan}, "process time"),
]


@pytest.mark.requirement("URS-CON-003")
@pytest.mark.parametrize(("case", "wrong", "words"), UNUSABLE, ids=[c[0] for c in UNUSABLE])
def test_what_cannot_be_trusted_is_named(case, wrong, words):
    with pytest.raises(NotUsable, match=words):
        harmonise(replace(GOOD, **wrong), TAG, now=NOW, last=LAST)


@pytest.mark.requirement("URS-CON-002")
def test_a_good_reading_is_converted_with_the_raw_value_beside():
    sample = harmonise(replace(GOOD, value=310.0, unit="K"), TAG, now=NOW, last=LAST)
    assert sample.value == pytest.approx(36.85)
    assert (sample.unit, sample.raw_value, sample.raw_unit) == ("degC", 310.0, "K")
    assert (sample.source_time, sample.process_h) == (GOOD.source_time, 12.0)


@pytest.mark.requirement("URS-CON-002")
def test_the_scale_of_the_tag_map_comes_before_the_unit():
    tag = replace(TAG, scale=0.1)
    sample = harmonise(replace(GOOD, value=368), tag, now=NOW, last=None)
    assert sample.value == pytest.approx(36.8)
    assert sample.raw_value == 368


VALUES = st.one_of(
    st.none(), st.booleans(), st.text(max_size=3), st.integers(), st.floats(), st.floats(0, 60)
)


@pytest.mark.requirement("URS-CON-003")
@given(
    value=VALUES,
    unit=st.sampled_from(["degC", "K", "L", "", "pH"]),
    quality=st.sampled_from(["good", "uncertain", "bad", ""]),
    seconds=st.integers(-10, 10),
    process_h=st.floats() | st.floats(0, 400),
)
def test_a_sample_is_always_good_finite_in_unit_and_in_order(
    value, unit, quality, seconds, process_h
):
    reading = Reading(
        "temperature", value, unit, quality, NOW + timedelta(seconds=seconds), process_h
    )
    try:
        sample = harmonise(reading, TAG, now=NOW, last=LAST)
    except NotUsable as why:
        assert str(why)
        return
    assert quality == "good"
    assert isfinite(sample.value) and 10 <= sample.value <= 50
    assert sample.unit == "degC"
    assert LAST < sample.source_time <= NOW + FUTURE
    assert isfinite(sample.process_h) and sample.process_h >= 0


@pytest.mark.requirement("URS-CON-003")
@given(value=VALUES, process_h=st.floats())
def test_whatever_came_can_be_kept_as_text(value, process_h):
    told = replace(GOOD, value=value, process_h=process_h).as_received()
    assert all(isinstance(text, str) for text in told.values())
    assert told["value"] == repr(value)
