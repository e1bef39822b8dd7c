"""What a plant says ends in the journal, the laboratory's results or in quarantine."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from audit import api as audit
from twin_core.connect.intake import Intake
from twin_core.connect.opcua import Change, Window
from twin_core.data import batches, limits, segments
from twin_core.insight import documents
from twin_core.models import Batch, JournalSample, LabResult, QuarantinedSample, TagStatus

RESULT = {
    "tag": "glucose",
    "value": 21.5,
    "unit": "mM",
    "quality": "good",
    "sampled_h": 167.0,
    "received_h": 169.0,
}


class Plant:
    """Speaks as BR-201 does, at one moment of process time."""

    def __init__(self, desk):
        self.batch, self.now = desk.batch, timezone.now()
        unit = desk.batch.equipment
        self.intake = Intake(unit, limits.tag_map(unit), is_simulated=True)

    def says(self, *changes, units=None, results=(), state="running", batch_id=None):
        """Let the plant tell (tag, value, quality, seconds from now) and documents."""
        window = Window(
            changes=[
                Change(tag, value, quality, self.now + timedelta(seconds=s))
                for tag, value, quality, s in changes
            ],
            units={"temperature": {"degC"}, "ph": {"pH"}, "volume": {"L"}} | (units or {}),
            process={self.now - timedelta(minutes=1): 168.5},
            results=[{"batch_id": self.batch.plant_batch} | one for one in results],
            batch_id=self.batch.plant_batch if batch_id is None else batch_id,
            batch_state=state,
        )
        return self.intake.take(window, now=self.now)


@pytest.fixture
def plant(desk) -> Plant:
    segments.seal(desk.batch)
    return Plant(desk)


def journal(plant) -> list[tuple[str, float]]:
    rows = JournalSample.objects.filter(batch=plant.batch).exclude(tag="process_time")
    return list(rows.order_by("source_time").values_list("tag", "value"))


def quarantined() -> list[tuple[str, str]]:
    return list(QuarantinedSample.objects.order_by("pk").values_list("tag", "reason"))


@pytest.mark.requirement("URS-CON-001")
def test_a_good_reading_is_kept_with_the_time_and_quality_of_its_source(plant):
    plant.says(("temperature", 36.9, "good", -2), ("temperature", 36.8, "good", -1))
    assert journal(plant) == [("temperature", 36.9), ("temperature", 36.8)]
    row = JournalSample.objects.filter(batch=plant.batch, tag="temperature").latest("source_time")
    assert row.source_time == plant.now - timedelta(seconds=1)
    assert (row.quality, float(row.process_h), row.raw_value) == ("good", 168.5, 36.8)
    shown = TagStatus.objects.get(equipment=plant.batch.equipment, tag="temperature")
    assert (shown.value, shown.quality, shown.source_time) == (36.8, "good", row.source_time)
    assert quarantined() == []


WRONG = {
    "bad quality": (("ph", 7.0, "bad", -1), {}, "quality is bad"),
    "wrong unit": (("ph", 7.0, "good", -1), {"ph": {"degC"}}, "unit: "),
    "two units": (("ph", 7.0, "good", -1), {"ph": {"pH", "degC"}}, "the unit changed"),
    "no number": (("ph", float("nan"), "good", -1), {}, "value is nan"),
    "text": (("ph", "seven", "good", -1), {}, "not a number"),
    "from the future": (("ph", 7.0, "good", 60), {}, "in the future"),
    "impossible": (("ph", 12.0, "good", -1), {}, "outside what ph can be"),
    "duplicate": (("ph", 7.2, "good", -30), {}, "duplicate"),
    "out of order": (("ph", 7.2, "good", -31), {}, "out of order"),
}


@pytest.mark.requirement("URS-CON-003")
@pytest.mark.parametrize("kind", WRONG)
def test_each_kind_of_wrong_reading_is_found_in_quarantine_and_in_no_estimate(plant, kind):
    plant.says(("ph", 7.01, "good", -30))
    change, units, reason = WRONG[kind]
    plant.says(change, ("volume", 3.51, "good", -1), units=units)
    ((tag, told),) = quarantined()
    assert tag == "ph" and reason in told
    held = QuarantinedSample.objects.select_related("record").get()
    (kept,) = audit.decode(held.content.encode())["samples"]
    assert kept["value"] == repr(change[1])
    assert audit.content(held.record)["reason"] == told
    assert [value for tag, value in journal(plant) if tag == "ph"] == [7.01]
    shown = TagStatus.objects.get(equipment=plant.batch.equipment, tag="ph")
    assert (shown.value, shown.quality) == (None, "bad")
    segments.seal(plant.batch)
    known = documents.segments_for(plant.batch, at_h=Decimal(200), tags={"ph", "volume"})
    used = {(one.tag, point.value) for one in known for point in segments.read(one)}
    assert ("volume", 3.51) in used and ("ph", 7.01) in used
    assert ("ph", change[1]) not in used


@pytest.mark.requirement("URS-CON-003")
def test_what_comes_while_no_batch_is_followed_is_quarantined_not_lost(plant):
    batches.close(plant.batch, reason="harvested")
    assert plant.says(("ph", 7.0, "good", -1)) is None
    assert quarantined() == [("ph", "no batch is running")]


@pytest.mark.requirement("URS-CON-003")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tag": "cholesterol"}, "does not know this tag"),
        ({"batch_id": "PLANT-0"}, "no batch of that name"),
        ({"value": "much"}, "not a number"),
        ({"value": 301.0}, "outside what glucose can be"),
        ({"unit": "degC"}, "unit: "),
        ({"quality": "bad"}, "quality is bad"),
        ({"received_h": 166.0}, "received before it was sampled"),
        ({"sampled_h": float("nan")}, "not a process time"),
        ({"sampled_h": -1.0}, "begins at 0 h"),
        ({"received_h": "later"}, "later"),
    ],
)
def test_a_laboratory_result_that_cannot_be_used_is_quarantined_once(plant, changes, reason):
    before = LabResult.objects.count()
    plant.says(results=[RESULT | changes])
    plant.says(results=[RESULT | changes])  # after a broken link it is told again
    ((_, told),) = quarantined()
    assert reason in told
    assert LabResult.objects.count() == before


@pytest.mark.requirement("URS-CON-008")
def test_a_laboratory_result_is_stored_with_both_times_and_once(plant):
    plant.says(results=[RESULT])
    plant.says(results=[RESULT])
    found = LabResult.objects.get(batch=plant.batch, tag="glucose", sampled_h=167)
    assert (found.value, float(found.received_h)) == ("21.5", 169.0)
    assert quarantined() == []


@pytest.mark.requirement("URS-CON-006")
def test_a_new_batch_of_the_plant_is_followed_and_the_old_one_sealed_and_closed(plant):
    plant.says(("temperature", 36.9, "good", -2))
    made = plant.says(("temperature", 36.8, "good", -1), batch_id="PLANT-201-8")
    assert (made.plant_batch, made.state) == ("PLANT-201-8", "running")
    assert Batch.objects.get(pk=plant.batch.pk).state == "closed"
    assert journal(plant) == []
    assert made.attributes == plant.batch.attributes
    assert plant.says(batch_id="PLANT-201-8", state="complete").state == "running"
    assert Batch.objects.get(pk=made.pk).state == "closed"
    assert plant.says(("temperature", 36.7, "good", 0), batch_id="PLANT-201-8") is None
