"""Writing is stopped by one act of an operator, an engineer or a reviewer, and stays stopped."""

import pytest

from audit import api as audit
from tests.twin_core.rest.test_acts import post, problem
from twin_core.lifecycle import trust
from twin_core.models import Equipment

STOP = "/api/equipment/BR-201/stop/"


@pytest.mark.requirement("URS-WBK-008")
def test_an_operator_stops_writing_at_once_with_a_reason_on_record(desk):
    answer = post(desk, "operator", STOP, {"reason": "foam in the vessel"})
    assert answer.status_code == 200, answer.content
    equipment = Equipment.objects.get(tag="BR-201")
    assert not trust.may_write(equipment.trust)
    told = audit.content(audit.Record.objects.get(pk=equipment.record_id))
    assert (told["kind"], told["reason"]) == (
        "twin_core.equipment.trust_lowered",
        "foam in the vessel",
    )


@pytest.mark.requirement("URS-WBK-008")
def test_what_is_stopped_is_not_stopped_again(desk):
    post(desk, "operator", STOP, {"reason": "foam in the vessel"})
    problem(post(desk, "operator", STOP, {"reason": "again"}), 409)


@pytest.mark.requirement("URS-WBK-008")
@pytest.mark.parametrize("who", ["auditor", "validator", "administrator"])
def test_others_cannot_stop_writing_and_the_attempt_is_recorded(desk, who):
    before = audit.Record.objects.filter(kind__endswith=".refused").count()
    problem(post(desk, who, STOP, {"reason": "curious"}), 403)
    assert trust.may_write(Equipment.objects.get(tag="BR-201").trust)
    assert audit.Record.objects.filter(kind__endswith=".refused").count() == before + 1


@pytest.mark.requirement("URS-WBK-008")
def test_a_stop_needs_its_reason(desk):
    problem(post(desk, "operator", STOP, {"reason": " "}), 400)
    assert trust.may_write(Equipment.objects.get(tag="BR-201").trust)


@pytest.mark.requirement("URS-WBK-008")
def test_the_batch_page_stops_writing_and_offers_it_no_more(desk):
    client = desk.client("operator")
    page = f"/batches/{desk.batch.number}/"
    assert b"Stop writing" in client.get(page).content
    assert client.post(f"{page}stop/", {"reason": ""}).status_code == 400
    assert trust.may_write(Equipment.objects.get(tag="BR-201").trust)
    assert client.post(f"{page}stop/", {"reason": "foam"}).status_code == 302
    assert not trust.may_write(Equipment.objects.get(tag="BR-201").trust)
    assert b'data-open="stop"' not in client.get(page).content
