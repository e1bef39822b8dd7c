"""Laboratory values: two times, corrections beside the old value, each with person and reason."""

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from audit import api as audit
from tests.twin_core import factories
from twin_core.data import entry, laboratory, quarantine
from twin_core.data.laboratory import ResultRefused
from twin_core.models import LabResult, OutboxTask, QuarantinedSample


@pytest.fixture
def old(desk) -> LabResult:
    return LabResult.objects.select_related("record", "batch__equipment").get(
        batch=desk.batch, tag="glucose", sampled_h=156
    )


def correct(desk, result, value=14.2, reason="diluted twice", **changes):
    facts = {"value": value, "person": desk.site.user("engineer"), "reason": reason}
    return entry.correct(result, **facts | changes)


def told(result) -> dict:
    return audit.content(result.record)


@pytest.mark.requirement("URS-CON-008")
def test_a_chain_of_corrections_keeps_every_value_with_person_and_reason(desk, old):
    first = correct(desk, old)
    second = correct(desk, first, value=13.9, reason="wrong vial")
    held = LabResult.objects.get(pk=old.pk)
    assert (held.value, held.record_id) == (old.value, old.record_id)
    assert (first.corrects_id, second.corrects_id) == (old.pk, first.pk)
    assert [told(one)["reason"] for one in (first, second)] == ["diluted twice", "wrong vial"]
    assert {told(one)["actor"]["name"] for one in (first, second)} == {"Ben Okafor"}
    assert told(second)["parents"] == [bytes(first.record.leaf).hex()]
    assert told(first)["parents"] == [bytes(old.record.leaf).hex()]
    assert (second.sampled_h, second.unit) == (old.sampled_h, old.unit)


@pytest.mark.requirement("URS-CON-008")
def test_a_correction_counts_from_when_it_was_known_and_never_before(desk, old):
    factories.results(desk.batch, ("lactate",), 169.0, 171.0)
    made = correct(desk, old)
    assert made.received_h == 171

    def glucose(at_h):
        found = laboratory.effective(desk.batch, at_h=laboratory.hours(at_h))
        return [one.pk for one in found if (one.tag, one.sampled_h) == ("glucose", old.sampled_h)]

    assert glucose(170.9) == [old.pk]
    assert glucose(171) == [made.pk]
    assert glucose(157.9) == []  # sampled, but the laboratory had not told it yet


@pytest.mark.requirement("URS-CON-008")
def test_a_value_and_its_correction_each_ask_for_a_new_estimate(desk, old):
    factories.results(desk.batch, ("lactate",), 169.0, 171.0)
    key = f"estimate:{desk.batch.pk}:171.000000"
    OutboxTask.objects.filter(key=key).update(state=OutboxTask.State.DONE)
    factories.results(desk.batch, ("ammonia",), 170.0, 172.0)
    correct(desk, old)
    assert OutboxTask.objects.filter(key=f"estimate:{desk.batch.pk}:172.000000").count() == 1


@pytest.mark.requirement("URS-CON-008")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": " "}, "needs its reason"),
        ({"value": float("nan")}, "is no value"),
        ({"value": float("inf")}, "is no value"),
        ({"value": 301.0}, "can be 0 to 300 mM"),
        ({"value": -0.1}, "can be 0 to 300 mM"),
        ({"unit": "degC"}, "degC"),
        ({"unit": "spoons"}, "spoons"),
    ],
)
def test_a_correction_that_cannot_be_is_refused_in_words_and_changes_nothing(
    desk, old, changes, said
):
    before = LabResult.objects.count(), audit.Record.objects.count()
    with pytest.raises(ResultRefused, match=said):
        correct(desk, old, **changes)
    assert (LabResult.objects.count(), audit.Record.objects.count()) == before


@pytest.mark.requirement("URS-CON-008")
def test_only_the_newest_value_is_corrected_and_only_by_another_one(desk, old):
    with pytest.raises(ResultRefused, match="the value it has already"):
        correct(desk, old, value=float(old.value))
    correct(desk, old)
    with pytest.raises(ResultRefused, match="correct the newest one"):
        correct(desk, old, value=13.0)


@pytest.mark.requirement("URS-CON-008")
@pytest.mark.parametrize("sampled_h", [168.1, -0.1, float("nan")])
def test_a_sampling_time_outside_the_batch_is_refused(desk, sampled_h):
    with pytest.raises(ResultRefused, match=r"between 0 and 168\.0 h"):
        entry.enter(
            desk.batch,
            tag="glucose",
            value=14.2,
            sampled_h=sampled_h,
            person=desk.site.user("engineer"),
            reason="second analyser",
        )


@pytest.mark.requirement("URS-CON-008")
def test_a_value_in_another_unit_of_the_list_is_converted_and_so_is_its_correction(desk):
    made = entry.enter(
        desk.batch,
        tag="glucose",
        value=0.0142,
        unit="mol/L",
        sampled_h=165,
        person=desk.site.user("engineer"),
        reason="second analyser",
    )
    assert (made.unit, float(made.value)) == ("mM", pytest.approx(14.2))
    again = correct(desk, made, value=0.0139, unit="mol/L")
    assert (again.unit, float(again.value)) == ("mM", pytest.approx(13.9))


@pytest.mark.requirement("URS-CON-008")
def test_the_same_result_told_twice_is_stored_once(desk, old):
    before = audit.Record.objects.count()
    again = laboratory.receive(
        desk.batch, tag="glucose", value=99.0, unit="mM", sampled_h=156.0, received_h=158.0
    )
    assert again is None
    assert audit.Record.objects.count() == before


@pytest.mark.requirement("URS-CON-008")
def test_the_database_keeps_the_old_value_and_one_correction_of_it(desk, old):
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        LabResult.objects.filter(pk=old.pk).update(value="1")
    correct(desk, old)
    twin = LabResult(
        batch=desk.batch, tag="glucose", value="13", unit="mM", sampled_h=old.sampled_h,
        received_h=laboratory.hours(168), corrects=old,
    )  # fmt: skip
    with pytest.raises(IntegrityError, match="unique"), transaction.atomic():
        record = audit.append(
            stream="batch/x", kind="twin_core.probe", subject=twin, new=twin.state_fields()
        )
        twin.save(record=record)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (-1, "begins at 0 h"),
        (float("nan"), "not a process time"),
        (float("inf"), "not a process time"),
        ("soon", "not a process time"),
    ],
)
def test_what_is_no_process_time_is_refused(value, said):
    with pytest.raises(ResultRefused, match=said):
        laboratory.hours(value)


@pytest.fixture
def held(desk) -> QuarantinedSample:
    return quarantine.put(
        desk.batch.equipment,
        batch=desk.batch,
        tag="ph",
        reason="quality is bad",
        content={"value": "7.1", "quality": "bad"},
    )


@pytest.mark.requirement("URS-CON-003")
def test_a_release_is_a_new_record_that_keeps_what_came_and_why_it_was_held(desk, held):
    before = held.content, held.reason, held.record_id
    released = quarantine.release(
        held, actor=desk.site.user("engineer"), reason="probe was calibrated"
    )
    assert (released.content, released.reason) == before[:2]
    first = audit.Record.objects.get(pk=before[2])
    said = audit.content(released.record)
    assert said["reason"] == "probe was calibrated"
    assert said["parents"] == [bytes(first.leaf).hex()]
    assert audit.content(first)["reason"] == "quality is bad"


@pytest.mark.requirement("URS-CON-003")
def test_a_release_needs_its_reason_and_happens_once(desk, held):
    engineer = desk.site.user("engineer")
    with pytest.raises(quarantine.ReleaseRefused, match="needs its reason"):
        quarantine.release(held, actor=engineer, reason=" ")
    assert not QuarantinedSample.objects.get(pk=held.pk).released
    quarantine.release(held, actor=engineer, reason="probe was calibrated")
    with pytest.raises(quarantine.ReleaseRefused, match="released already"):
        quarantine.release(held, actor=engineer, reason="again")
