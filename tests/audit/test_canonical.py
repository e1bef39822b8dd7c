"""Canonical text: equal to RFC 8785 inside its limits, refused outside them."""

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import canonical
from audit.canonical import NotCanonical

INTEGERS = st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = st.text(st.characters(max_codepoint=0xD7FF))
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)
PARIS = timezone(timedelta(hours=1))
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)


class Phase(StrEnum):
    IN_FORCE = "in_force"


class Level(Enum):
    ADVISE = 2


@pytest.mark.requirement("URS-AUD-020")
@settings(deadline=None)
@given(VALUES)
def test_the_fast_encoder_gives_the_bytes_of_rfc_8785(value):
    assert canonical.encode(value) == rfc8785.dumps(value)


@pytest.mark.requirement("URS-AUD-020")
@settings(deadline=None)
@given(VALUES)
def test_what_was_encoded_is_decoded_to_the_same_value(value):
    assert canonical.decode(canonical.encode(value)) == value


@pytest.mark.requirement("URS-AUD-020")
@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [1, {"b": 0.5}]}, "$.a[1].b"),
        ({"a": math.nan}, "$.a"),
        ([2**53], "$[0]"),
        ([0, -(2**53)], "$[1]"),
        ({"a": "\ud800"}, "$.a"),
        ({"a": {1: "x"}}, "$.a.1"),
        ({"a": {"\ue000": "x"}}, "$.a.\ue000"),
        ({"a": {"\U00010000": "x"}}, "$.a.\U00010000"),
        ({"at": datetime(2026, 1, 1)}, "$.at"),  # noqa: DTZ001
        ({"a": Decimal("NaN")}, "$.a"),
        ({"a": object()}, "$.a"),
        ({"a": {1, 2}}, "$.a"),
    ],
)
def test_a_value_outside_the_limits_is_refused_with_its_path(value, path):
    with pytest.raises(NotCanonical) as refusal:
        canonical.encode(value)
    assert str(refusal.value).startswith(f"{path}: ")


def nested(depth):
    value: list = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_nesting_ends_at_the_limit():
    assert canonical.encode(nested(canonical.MAX_DEPTH)) == b"[" * 64 + b"]" * 64
    with pytest.raises(NotCanonical, match="nested deeper"):
        canonical.encode(nested(canonical.MAX_DEPTH + 1))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 1, 31, 10, 15, tzinfo=PARIS), "2026-01-31T09:15:00.000000Z"),
        (datetime(2026, 1, 31, 9, 15, 0, 7, tzinfo=UTC), "2026-01-31T09:15:00.000007Z"),
        (UUID("0190F3B4-0000-7000-8000-0000000000AB"), "0190f3b4-0000-7000-8000-0000000000ab"),
        (Decimal("253.150"), "253.150"),
        (Decimal("1E+3"), "1000"),
        (b"\x00\xff", "00ff"),
        (Phase.IN_FORCE, "in_force"),
    ],
)
def test_times_identifiers_decimals_and_bytes_are_written_as_text(value, text):
    assert canonical.decode(canonical.encode({"x": value})) == {"x": text}


def test_an_enum_is_written_as_its_value_and_a_tuple_as_a_list():
    assert canonical.encode((Level.ADVISE, True)) == b"[2,true]"


@pytest.mark.requirement("URS-AUD-020")
@pytest.mark.parametrize(
    "text",
    [
        b'{"b":1,"a":2}',  # order
        b'{"a":1,"a":1}',  # duplicate
        b'{"a": 1}',  # space
        b'["\\u0041"]',  # escape that is not needed
        b'["\\u001F"]',  # upper case
        b"[1.0]",
        b"[1e3]",
        b"[-0]",
        b"[01]",
        b"[9007199254740992]",
        b"[123456789012345678901234567890]",
        b"[NaN]",
        b'["\\ud800"]',
        b'["\xff"]',
        b"[1]\n",
        b"\xef\xbb\xbf[1]",
        b"",
    ],
)
def test_another_spelling_is_refused(text):
    with pytest.raises(NotCanonical):
        canonical.decode(text)


@pytest.mark.requirement("URS-AUD-023")
@settings(deadline=None)
@given(DOUBLES)
def test_a_number_reads_back_to_the_same_double(value):
    measured = canonical.number(value, "K")
    back = canonical.quantity(measured)
    assert (back, math.copysign(1, back)) == (value, math.copysign(1, value))


@pytest.mark.requirement("URS-AUD-023")
@settings(deadline=None)
@given(DOUBLES.filter(bool))
def test_a_number_has_the_text_that_rfc_8785_gives_it(value):
    assert canonical.number(value, "K")["value"] == rfc8785.dumps(value).decode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (253.15, "253.15"),
        (253.0, "253"),
        (7, "7"),
        (-0.0, "-0"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (5e-324, "5e-324"),
    ],
)
def test_numbers_are_plain_unless_very_large_or_small(value, text):
    assert canonical.number(value, "K") == {"unit": "K", "value": text}


@pytest.mark.requirement("URS-AUD-023")
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**53, 10**400, True])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(NotCanonical):
        canonical.number(value, "K")


@pytest.mark.requirement("URS-AUD-023")
@pytest.mark.parametrize("text", ["1.0", "1e3", "+1", " 1", "nan", "inf", "", "1_0", "01", None])
def test_a_number_in_another_spelling_is_refused(text):
    with pytest.raises(NotCanonical):
        canonical.quantity({"unit": "K", "value": text})
