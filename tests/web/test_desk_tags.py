"""What the tags of the desk print: times with their clock, quantities with their unit."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from twin_core.web.templatetags import desk


@pytest.mark.requirement("URS-WEB-003")
@pytest.mark.parametrize(
    ("utc", "site"),
    [
        (datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC), "01:59:59&nbsp;"),
        (datetime(2026, 3, 29, 1, 0, 0, tzinfo=UTC), "03:00:00&nbsp;"),  # summer time begins
        (datetime(2026, 10, 25, 0, 30, 0, tzinfo=UTC), "02:30:00&nbsp;"),
        (datetime(2026, 10, 25, 1, 30, 0, tzinfo=UTC), "02:30:00&nbsp;"),  # the same hour again
        (datetime(2026, 12, 31, 23, 30, 0, tzinfo=UTC), "2027-01-01 00:30:00&nbsp;"),
    ],
)
def test_a_time_stands_in_utc_and_in_the_site_zone(settings, utc, site):
    settings.SITE_TIME_ZONE = "Europe/Zurich"
    text = desk.when(utc)
    assert f"{utc:%Y-%m-%d %H:%M:%S}&nbsp;" in text
    assert f'">{site}' in text
    assert ("CEST" in text) is (utc.astimezone(desk.site_zone()).utcoffset().seconds == 7200)


@pytest.mark.requirement("URS-WEB-003")
def test_a_time_without_zone_is_not_shown():
    with pytest.raises(ValueError, match="no time zone"):
        desk.when(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.requirement("URS-WEB-003")
def test_process_time_is_marked_as_such():
    assert "h process" in desk.process_time("96.52")
    assert "process" not in desk.when(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        ("0.35", "L/d", "0.35&nbsp;"),
        ("14.203421", "1e6 cells/mL", "14.20&nbsp;"),
        (0.000012, "M", "1.200e-05&nbsp;"),
        (1234567.0, "1", "1\N{THIN SPACE}234\N{THIN SPACE}567<"),
        (0, "mM", "0.000&nbsp;"),
        ("-3", "degC", "-3&nbsp;"),
    ],
)
def test_a_quantity_is_rounded_for_the_eye_and_kept_exactly(value, unit, shown):
    text = desk.quantity(value, unit)
    assert f">{shown}" in text
    assert f'data-exact="{value}"' in text


def test_nothing_is_shown_as_no_value():
    for text in (desk.quantity(None), desk.when(None), desk.hash_chip(""), desk.state_badge(None)):
        assert "no value" in text


@pytest.mark.requirement("URS-WEB-001")
def test_markup_in_names_units_and_states_is_escaped():
    bad = "<b>x</b>"
    for text in (
        desk.person({"name": bad, "kind": "process"}),
        desk.quantity(1, bad),
        desk.state_badge(bad),
        desk.hash_chip(bad, href='" onclick="x'),
    ):
        assert "<b>" not in text
        assert '" onclick' not in text


@pytest.mark.requirement("URS-WEB-023")
def test_a_state_that_is_not_known_is_shown_plain_with_its_own_word():
    text = desk.state_badge("half baked")
    assert "tone-off" in text
    assert text.endswith("half baked</span>")


def test_a_digest_is_copied_whole_though_shown_short():
    digest = bytes(range(32))
    text = desk.hash_chip(memoryview(digest))
    assert f'data-copy="{digest.hex()}"' in text
    assert f"<code>{digest.hex()[:10]}…</code>" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.6, "1 min"), (185, "3 min 5 s"), (90_000, "1 d 1 h"), (-4, "0 s")],
)
def test_a_span_is_told_in_two_units_at_most(seconds, words):
    assert desk.span(seconds).replace("\N{NO-BREAK SPACE}", " ") == words


def test_a_stream_with_a_key_in_it_is_cut():
    assert desk.stream_shown("person/01a20f6d-482b-7c39-b24f-0d09bf35ecf9") == "person/01a20f6d…"
    assert desk.stream_shown("batch/BR-101") == "batch/BR-101"


def test_an_actor_is_named_from_a_record_and_from_a_row_alike():
    assert "Anna" in desk.person({"name": "Anna", "kind": "person"})
    assert "Anna" in desk.person(SimpleNamespace(printed_name="Anna"))
    assert "process" in desk.person({"name": "gate", "kind": "process"})
