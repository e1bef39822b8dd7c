"""What a process engineer does with a batch, each with its negative case."""

import pytest
from django.test import Client
from django.urls import reverse

from audit import api as audit
from tests.twin_core import factories
from tests.web.serving import session_of
from twin_core.data import batches, quarantine
from twin_core.models import Batch, LabResult, OutboxTask, QuarantinedSample

OTHERS = ("reviewer", "approver", "validator", "auditor", "administrator", "operator")
VALUE = {"tag": "glucose", "value": "14.2", "sampled_h": "165", "reason": "second analyser"}


@pytest.fixture
def held(desk) -> QuarantinedSample:
    sample = {"tag": "ph", "value": "nan", "unit": "pH", "process_h": "151.2", "quality": "good"}
    return quarantine.put(
        desk.batch.equipment,
        batch=desk.batch,
        tag="ph",
        reason="value is nan",
        content={"samples": [sample]},
    )


def newest(kind: str):
    return audit.content(audit.Record.objects.filter(kind=kind).latest("id"))


def acts(desk, held) -> dict[str, tuple[str, dict[str, str]]]:
    number, result = desk.batch.number, LabResult.objects.filter(batch=desk.batch)[0]
    return {
        "start": (reverse("web:batches"), {"reason": "x"}),
        "enter": (reverse("web:enter", args=[number]), VALUE),
        "correct": (reverse("web:correct", args=[number, result.pk]), {"value": "1"}),
        "release": (reverse("web:release", args=[number, held.pk]), {"reason": "settled"}),
        "close": (reverse("web:close", args=[number]), {"reason": "over"}),
    }


@pytest.mark.requirement("URS-DSK-001")
@pytest.mark.requirement("URS-SIG-011")
@pytest.mark.parametrize("who", OTHERS)
def test_acts_of_a_process_engineer_are_refused_to_others_and_recorded(desk, held, who):
    client, before = desk.client(who), audit.Record.objects.count()
    answers = [client.post(address, data) for address, data in acts(desk, held).values()]
    assert {answer.status_code for answer in answers} == {403}
    refused = audit.Record.objects.filter(kind__endswith=".refused")
    assert audit.Record.objects.count() - before == refused.count() == len(answers)


@pytest.mark.requirement("URS-WEB-001")
def test_an_act_without_the_token_of_its_form_does_nothing(desk, held):
    client = desk.client("engineer", enforce_csrf_checks=True)
    for address, data in acts(desk, held).values():
        assert client.post(address, data).status_code == 403
    assert batches.running(desk.batch.equipment) == desk.batch


@pytest.mark.requirement("URS-CON-008")
def test_a_value_is_entered_with_its_reason_and_asks_for_an_estimate(desk):
    address = reverse("web:enter", args=[desk.batch.number])
    answer = desk.client("engineer").post(address, VALUE)
    assert answer.status_code == 302
    result = LabResult.objects.filter(batch=desk.batch, tag="glucose").latest("sampled_h")
    assert (result.value, result.unit) == ("14.2", "mM")
    assert float(result.received_h) == 168.0
    told = newest("twin_core.lab_result.entered")
    assert (told["actor"]["name"], told["reason"]) == ("Ben Okafor", "second analyser")
    key = f"estimate:{desk.batch.pk}:{result.received_h}"
    assert OutboxTask.objects.filter(key=key).exists()


@pytest.mark.requirement("URS-CON-008")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": "900"}, "0 to 300 mM"),
        ({"value": "nan"}, "number"),
        ({"value": "-1"}, "0 to 300 mM"),
        ({"sampled_h": "169"}, "the present time"),
        ({"sampled_h": "156"}, "correct that one"),
        ({"reason": ""}, "required"),
        ({"tag": "temperature"}, "valid choice"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_words_on_the_open_form(desk, changes, said):
    before = LabResult.objects.count()
    answer = desk.client("engineer").post(
        reverse("web:enter", args=[desk.batch.number]), VALUE | changes
    )
    assert answer.status_code in (400, 409)
    dialog = answer.context["page"].dialogs[0]
    assert dialog.is_open
    assert said in str(dialog.form.errors)
    assert LabResult.objects.count() == before


def test_a_form_sent_twice_enters_one_value(desk):
    client, address = desk.client("engineer"), reverse("web:enter", args=[desk.batch.number])
    assert client.post(address, VALUE).status_code == 302
    assert client.post(address, VALUE).status_code == 409
    assert LabResult.objects.filter(batch=desk.batch, sampled_h=165).count() == 1


@pytest.mark.requirement("URS-CON-008")
def test_a_correction_keeps_the_old_value_beside_the_new_one(desk):
    old = LabResult.objects.filter(batch=desk.batch, tag="lactate").latest("sampled_h")
    client = desk.client("engineer")
    address = reverse("web:correct", args=[desk.batch.number, old.pk])
    assert old.value in client.get(address).content.decode()
    client.post(address, {"value": "1.91", "reason": "decimal point mistyped"})
    page = client.get(reverse("web:batch", args=[desk.batch.number])).context["page"]
    row = next(row for row in page.laboratory if row.replaces)
    assert (row.value, row.replaces, row.reason) == ("1.91", old.value, "decimal point mistyped")
    assert LabResult.objects.get(pk=old.pk).value == old.value


@pytest.mark.requirement("URS-CON-008")
def test_a_correction_needs_a_reason_another_value_and_the_newest_result(desk):
    old = LabResult.objects.filter(batch=desk.batch, tag="lactate").latest("sampled_h")
    client = desk.client("engineer")
    address = reverse("web:correct", args=[desk.batch.number, old.pk])
    assert client.post(address, {"value": "1.9", "reason": ""}).status_code == 400
    assert client.post(address, {"value": old.value, "reason": "same"}).status_code == 409
    assert client.post(address, {"value": "1.9", "reason": "typo"}).status_code == 302
    again = client.post(address, {"value": "1.8", "reason": "typo"})
    assert again.status_code == 409
    assert "corrected already" in str(again.context["page"].form.errors)
    other = reverse("web:correct", args=[desk.recorded.number, old.pk])
    assert client.get(other).status_code == 404


@pytest.mark.requirement("URS-CON-003")
def test_quarantine_shows_its_reason_and_is_released_once_with_another(desk, held):
    client = desk.client("engineer")
    page = client.get(reverse("web:batch", args=[desk.batch.number])).context["page"]
    assert [(row.reason, row.taken_h, row.state) for row in page.quarantine] == [
        ("value is nan", 151.2, "quarantined")
    ]
    address = page.quarantine[0].release_href
    assert client.post(address, {"reason": ""}).status_code == 400
    assert client.post(address, {"reason": "probe was calibrated"}).status_code == 302
    assert newest("twin_core.sample.released")["reason"] == "probe was calibrated"
    assert client.post(address, {"reason": "again"}).status_code == 409


@pytest.mark.requirement("URS-DSK-001")
def test_a_batch_is_closed_with_a_reason_and_only_once(desk):
    client, address = desk.client("engineer"), reverse("web:close", args=[desk.batch.number])
    assert client.post(address, {"reason": ""}).status_code == 400
    assert client.post(address, {"reason": "harvested"}).status_code == 302
    assert Batch.objects.get(pk=desk.batch.pk).state == "closed"
    assert client.post(address, {"reason": "harvested"}).status_code == 409
    ended = client.get(reverse("web:batches")).context["page"].ended
    assert [tile.name for tile in ended] == [desk.batch.number]


@pytest.mark.requirement("URS-DSK-001")
def test_a_batch_is_started_by_the_signed_files_and_not_while_another_runs(desk):
    client, address = desk.client("engineer"), reverse("web:batches")
    unit = desk.batch.equipment
    data = {"equipment": str(unit.pk), "plant_batch": "PLANT-8", "reason": "inoculated"}
    refused = client.post(address, data)
    assert refused.status_code == 409
    assert "close that one first" in str(refused.context["page"].start.form.errors)
    batches.close(desk.batch, actor=desk.site.user("engineer"), reason="harvested")
    assert client.post(address, data).status_code == 302
    made = batches.running(unit)
    assert made is not None and made.plant_batch == "PLANT-8"
    assert audit.decode(made.attributes.encode())["scale_L"] == "5"
    assert made.is_simulated


def test_a_refused_act_is_recorded_with_its_reason_where_it_would_have_stood(desk):
    address = reverse("web:enter", args=[desk.batch.number])
    desk.client("engineer").post(address, VALUE | {"sampled_h": "900"})
    record = audit.Record.objects.filter(kind="twin_core.lab_result.refused").latest("id")
    told = audit.content(record)
    assert told["actor"]["name"] == "Ben Okafor"
    assert told["data"]["where"] == f"POST {address}"
    assert told["source"]["session"]


@pytest.mark.requirement("URS-DSK-004")
@pytest.mark.requirement("URS-WEB-006")
def test_health_names_what_is_late_and_parked_work_is_retried_by_the_administrator(desk):
    task = factories.parked()
    page = desk.client("operator").get(reverse("web:health")).context["page"]
    tiles = {tile.name: tile for tile in page.tiles}
    assert tiles["Worker and relay"].state == "failed"
    assert tiles["Sealer"].state == "late", "nothing seals in this test"
    assert {"Checkpoint", "Connector BR-201", "Write gate", "Disk", "Clock"} <= set(tiles)
    assert [(row.error, row.retry_href) for row in page.parked] == [(task.error, "")]
    address = reverse("web:retry", args=[task.pk])
    assert desk.client("engineer").post(address, {"reason": "again"}).status_code == 403
    administrator = desk.client("administrator")
    assert administrator.get(address).status_code == 200
    assert administrator.post(address, {"reason": "data is there now"}).status_code == 302
    task.refresh_from_db()
    assert (task.state, task.attempts) == (OutboxTask.State.WAITING, 0)
    assert newest("twin_core.outbox_task.retried")["reason"] == "data is there now"
    assert administrator.post(address, {"reason": "again"}).status_code == 409


@pytest.mark.requirement("URS-SIG-009")
def test_pages_asked_in_the_background_do_not_extend_a_session(desk):
    from audit.session_store import SEEN

    store = session_of(desk.site.user("reviewer"), seen=0)
    client = Client()
    client.cookies["sessionid"] = store.session_key
    assert client.get(reverse("web:desk"), headers={"X-Background": "1"}).status_code == 401
    seen = session_of(desk.site.user("reviewer"))
    before = seen[SEEN] - 60
    seen[SEEN] = before
    seen.save()
    client.cookies["sessionid"] = seen.session_key
    for address, headers in (
        (reverse("web:desk"), {"X-Background": "1"}),
        (reverse("web:charts", args=[desk.batch.number]), {}),
    ):
        assert client.get(address, headers=headers).status_code == 200
    assert client.session[SEEN] == before
    client.get(reverse("web:desk"))
    assert client.session[SEEN] > before
