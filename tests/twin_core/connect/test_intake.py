"""What a plant's window becomes: journal, laboratory results, quarantine, batches; nothing lost."""

from datetime import timedelta
from math import nan

import pytest
from django.db import OperationalError
from django.utils import timezone

from audit import api as audit
from twin_core.connect import intake as intake_module
from twin_core.connect.intake import CLOCK, Intake
from twin_core.connect.opcua import Change, Window
from twin_core.connect.timeline import Timeline
from twin_core.data import clock, limits, segments
from twin_core.models import (
    Batch,
    JournalSample,
    LabResult,
    OutboxTask,
    QuarantinedSample,
    TagStatus,
)

UNITS = {"temperature": {"degC"}, "ph": {"pH"}}


@pytest.fixture
def intake(asset):
    return Intake(asset, limits.tag_map(asset), is_simulated=True)


class Time:
    """Wall-clock moments a second apart, the last of them now."""

    def __init__(self):
        self.zero = timezone.now() - timedelta(seconds=60)

    def __call__(self, seconds):
        return self.zero + timedelta(seconds=seconds)


@pytest.fixture
def at():
    return Time()


def window(at, *changes, batch_id="P-1", state="running", results=(), units=None, hours=0.5):
    """Return a window whose process time runs ``hours`` a second of wall time."""
    made = Window(batch_id=batch_id, batch_state=state, results=list(results))
    made.changes = [
        Change(tag, value, quality, at(second)) for tag, value, quality, second in changes
    ]
    made.units = dict(UNITS if units is None else units)
    made.process = {at(second): second * hours for second in range(0, 50, 5)}
    return made


def result(sequence, **changes):
    return {
        "sequence": sequence,
        "batch_id": "P-1",
        "tag": "glucose",
        "value": 30.0,
        "unit": "mM",
        "sampled_h": 6.0,
        "received_h": 8.0,
        "quality": "good",
    } | changes


def quarantined():
    rows = QuarantinedSample.objects.order_by("id")
    return [(row.tag, row.reason, row.count) for row in rows]


@pytest.mark.requirement("URS-CON-001")
def test_samples_are_kept_with_source_time_and_process_time(intake, at):
    batch = intake.take(window(at, ("temperature", 36.8, "good", 11)))
    row = JournalSample.objects.get(tag="temperature")
    assert (row.batch, row.value, row.unit, row.quality) == (batch, 36.8, "degC", "good")
    assert row.source_time == at(11)
    assert float(row.process_h) == 5.5  # a fifth of the way between two that the plant told
    assert batch.is_simulated
    assert float(clock.process_now(batch)) == 22.5


@pytest.mark.requirement("URS-CON-003")
@pytest.mark.parametrize(
    ("changes", "units", "reason"),
    [
        ([("ph", 7.0, "bad", 1)], None, "quality is bad"),
        ([("ph", nan, "good", 1)], None, "value is nan"),
        ([("ph", 7.0, "good", 1)], {"ph": {"mM"}}, "unit:"),
        ([("ph", 7.0, "good", 1)], {"ph": {"pH", "mM"}}, "the unit changed"),
        ([("ph", 7.0, "good", 1)], {}, "unit:"),
        ([("ph", 12.0, "good", 1)], None, "outside what ph can be"),
        ([("ph", 7.0, "good", 4000)], None, "source time lies in the future"),
    ],
)
def test_what_cannot_be_used_is_quarantined_with_its_reason(intake, at, changes, units, reason):
    intake.take(window(at, *changes, units=units))
    ((tag, told, count),) = quarantined()
    assert (tag, count) == ("ph", 1)
    assert told.startswith(reason)
    assert not JournalSample.objects.filter(tag="ph").exists()
    held = QuarantinedSample.objects.get()
    (content,) = audit.decode(held.content.encode())["samples"]
    assert content["value"] == repr(changes[0][1])
    assert TagStatus.objects.get(tag="ph").quality == "bad"
    assert audit.content(held.record)["reason"] == told


@pytest.mark.requirement("URS-CON-003")
def test_duplicates_and_old_values_are_quarantined_over_windows(intake, at):
    intake.take(window(at, ("ph", 7.0, "good", 2), ("ph", 7.1, "good", 3)))
    intake.take(window(at, ("ph", 7.1, "good", 3), ("ph", 7.0, "good", 1)))
    assert [
        float(v) for v in JournalSample.objects.filter(tag="ph").values_list("value", flat=True)
    ] == [
        7.0,
        7.1,
    ]
    reasons = {reason.split(":")[0] for _, reason, _ in quarantined()}
    assert reasons == {"duplicate", "out of order"}


@pytest.mark.requirement("URS-CON-005")
def test_the_value_that_stands_after_a_broken_link_is_no_duplicate(intake, at):
    intake.take(window(at, ("ph", 7.0, "good", 2)))
    again = window(at)
    again.changes = [Change("ph", 7.0, "good", at(2), is_first=True)]
    intake.take(again)
    assert quarantined() == []


@pytest.mark.requirement("URS-CON-003")
def test_many_alike_make_one_entry_with_every_sample(intake, at):
    intake.take(window(at, *[("ph", nan, "good", second) for second in range(40)]))
    assert quarantined() == [("ph", "value is nan", 40)]
    content = audit.decode(QuarantinedSample.objects.get().content.encode())
    assert len(content["samples"]) == 40


@pytest.mark.requirement("URS-CON-003")
def test_samples_without_a_running_batch_are_not_lost(intake, at):
    intake.take(window(at, ("ph", 7.0, "good", 1), state="idle", batch_id=""))
    assert quarantined() == [("ph", "no batch is running", 1)]
    assert Batch.objects.count() == 0


@pytest.mark.requirement("URS-CON-006")
def test_sealed_segments_hold_every_sample_bit_for_bit(intake, at):
    values = [7.0 + 0.1 / (3 + k) for k in range(20)]
    batch = intake.take(window(at, *[("ph", v, "good", k) for k, v in enumerate(values)]))
    made = {segment.tag: segment for segment in segments.seal(batch)}
    points = segments.read(made["ph"])
    assert [point.value for point in points] == values
    assert [point.source_time for point in points] == [at(k) for k in range(20)]
    assert made.keys() == {"ph", CLOCK}
    assert not JournalSample.objects.exists()
    record = audit.Record.objects.get(kind="twin_core.data_segments.sealed")
    told = {one["tag"]: one["digest"] for one in audit.content(record)["data"]["segments"]}
    assert told["ph"] == made["ph"].digest


@pytest.mark.requirement("URS-CON-006")
def test_a_damaged_segment_is_not_read(intake, at):
    batch = intake.take(window(at, ("ph", 7.0, "good", 1)))
    segment = next(one for one in segments.seal(batch) if one.tag == "ph")
    segment.digest = "0" * 64
    with pytest.raises(ValueError, match="damaged"):
        segments.read(segment)


@pytest.mark.requirement("URS-CON-008")
def test_a_laboratory_result_is_stored_once_and_asks_for_an_estimate(intake, at):
    intake.take(window(at, results=[result(1), result(1)]))
    (row,) = LabResult.objects.all()
    assert (row.value, row.unit, float(row.sampled_h), float(row.received_h)) == ("30", "mM", 6, 8)
    assert OutboxTask.objects.filter(name="estimate").count() == 1


@pytest.mark.requirement("URS-CON-003")
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"quality": "bad"}, "quality is bad"),
        ({"value": None}, "not a number"),
        ({"value": nan}, "outside what glucose can be"),
        ({"value": -1.0}, "outside what glucose can be"),
        ({"unit": "g/L"}, "unit:"),
        ({"tag": "caffeine"}, "the tag map does not know this tag"),
        ({"batch_id": "P-9"}, "no batch of that name"),
        ({"received_h": 5.0}, "received before it was sampled"),
        ({"sampled_h": -2.0}, "process time begins at 0 h"),
        ({"sampled_h": nan, "received_h": nan}, "is not a process time"),
    ],
)
def test_a_laboratory_result_that_cannot_be_used_is_quarantined_once(intake, at, wrong, reason):
    for _ in range(2):
        intake.take(window(at, results=[result(1, **wrong)]))
    ((_, told, count),) = quarantined()
    assert reason in told
    assert count == 1
    assert not LabResult.objects.exists()


@pytest.mark.requirement("URS-CON-001")
def test_a_batch_begins_goes_over_to_the_next_and_ends_with_the_plants(intake, at):
    first = intake.take(window(at, ("ph", 7.0, "good", 1)))
    second = intake.take(window(at, ("ph", 7.0, "good", 10), batch_id="P-2"))
    first.refresh_from_db()
    assert (first.state, second.state, second.plant_batch) == ("closed", "running", "P-2")
    assert first.segments.exists()
    ended = intake.take(window(at, batch_id="P-2", state="ended"))
    ended.refresh_from_db()
    assert ended.state == "closed"
    assert intake.take(window(at, batch_id="P-2", state="running")) is None


@pytest.mark.requirement("URS-CON-005")
@pytest.mark.parametrize("broken", ["samples", "results"])
def test_a_window_given_again_after_the_store_was_away_is_stored_once(
    intake, at, monkeypatch, broken
):
    results = [result(1), result(2, sampled_h=12.0, received_h=14.0)]
    made = window(at, ("ph", 7.0, "good", 1), results=results)
    with monkeypatch.context() as patch:
        if broken == "samples":
            patch.setattr(intake, "_tell", store_away)
        else:
            once = iter([intake_module.laboratory.receive, store_away])
            patch.setattr(intake_module.laboratory, "receive", lambda *a, **k: next(once)(*a, **k))
        with pytest.raises(OperationalError):
            intake.take(made)
    intake.take(made)
    assert JournalSample.objects.filter(tag="ph").count() == 1
    assert LabResult.objects.count() == 2
    assert quarantined() == []


def store_away(*_, **__):
    raise OperationalError("the connection was closed")


def first(tag, value, at):
    return Change(tag, value, "good", at, is_first=True)


def points_of(batch, tag):
    """Return (process hour, value) of everything that is stored of a tag."""
    segments.seal(batch)
    return [
        (point.process_h, point.value)
        for segment in batch.segments.filter(tag=tag).order_by("from_h", "id")
        for point in segments.read(segment)
    ]


FEED = {**UNITS, "feed.rate": {"mL/h"}}


@pytest.mark.requirement("URS-CON-005")
@pytest.mark.parametrize("sealed", [True, False])
def test_a_connector_that_was_killed_takes_nothing_twice_and_dates_nothing_back(
    asset, intake, at, sealed
):
    made = window(at, units=FEED)
    made.changes = [first("feed.rate", 2.5, at(-3000)), first("ph", 7.0, at(10))]
    batch = intake.take(made)
    if sealed:
        segments.seal(batch)
    reborn = Intake(asset, intake.map, is_simulated=True)
    later = window(at, units=FEED)
    later.process = {at(52): 26.0}
    later.changes = [
        first("feed.rate", 2.5, at(-3000)),  # what still stands, with the time it was set
        first("ph", 7.1, at(51)),
    ]
    assert reborn.take(later) == batch
    assert points_of(batch, "feed.rate") == [(0.0, 2.5)]
    ((_, known), (hours, told)) = points_of(batch, "ph")
    assert (known, told) == (7.0, 7.1)
    assert 22.5 < hours < 26.0
    assert quarantined() == []


@pytest.mark.requirement("URS-CON-001")
def test_what_stood_before_anything_was_known_counts_from_the_first_known_hour(intake, at):
    late = window(at, units=FEED)
    late.process = {at(20): 50.0, at(30): 51.0}
    late.changes = [first("feed.rate", 2.5, at(-3000)), Change("ph", 7.0, "good", at(10))]
    batch = intake.take(late)
    assert points_of(batch, "feed.rate") == [(50.0, 2.5)]
    assert quarantined() == [("ph", "process time is nan", 1)]  # not the first: nobody can tell


@pytest.mark.requirement("URS-CON-001")
def test_a_set_point_that_stays_over_the_change_of_batch_stands_in_the_next_one_too(intake, at):
    made = window(at, units=FEED)
    made.changes = [first("feed.rate", 2.5, at(1))]
    intake.take(made)
    following = window(at, batch_id="P-2", units=FEED)
    following.process = {at(51): 336.0, at(52): 0.0, at(53): 0.5}
    batch = intake.take(following)
    assert points_of(batch, "feed.rate") == [(0.0, 2.5)]
    assert points_of(batch, CLOCK) == [(0.5, 0.5)]


def test_process_time_runs_evenly_between_two_points_and_falls_back_with_a_new_batch(at):
    line = Timeline()
    line.add([(at(0), 0.0), (at(10), 5.0), (at(20), 1.0)])
    assert [line.hours(at(s)) for s in (-1, 0, 4, 10, 15, 20, 99)] == [
        *(None, 0.0, 2.0, 5.0),
        *(5.0, 1.0, 1.0),
    ]
    assert (line.first_after(at(-1)), line.first_after(at(20))) == (0.0, None)
