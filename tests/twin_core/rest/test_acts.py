"""The interface for batches, values, quarantine, advice, assets and the outbox."""

import json

import pytest
from django.db import transaction

from audit import api as audit
from tests.twin_core import factories
from twin_core.data import quarantine
from twin_core.models import LabResult, OutboxTask, Recommendation

OTHERS = ("reviewer", "approver", "validator", "auditor", "administrator", "operator")
VALUE = {"tag": "glucose", "value": 14.2, "unit": "mM", "sampled_h": 165, "reason": "again"}


def post(desk, who: str, path: str, body: dict):
    return desk.client(who).post(path, json.dumps(body), content_type="application/json")


def problem(answer, status: int) -> dict:
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert told["what_to_do"]
    return told


@pytest.mark.requirement("URS-WEB-005")
def test_everything_is_read_by_everybody_with_a_role(desk):
    client = desk.client("auditor")
    for path in ("batches", "results", "quarantine", "estimates", "forecasts", "recommendations",
                 "equipment", "outbox"):  # fmt: skip
        assert client.get(f"/api/{path}/").status_code == 200, path
    number = desk.batch.number
    assert client.get(f"/api/batches/{number}/").json()["process_h"] == "168.000000"
    found = client.get("/api/forecasts/", {"batch": number}).json()["results"]
    whole = client.get(f"/api/forecasts/{found[0]['id']}/").json()
    assert whole["content"]["rows"][0]["lo90"]
    assert client.get("/api/equipment/BR-201/").json()["refusals"] == []
    estimate = client.get("/api/estimates/", {"batch": number}).json()["results"][0]
    assert estimate["content"]["state"]["titer"]["unit"] == "g/L"
    pages = client.get("/api/results/", {"batch": number, "page_size": "5"}).json()
    assert len(pages["results"]) == 5 and pages["next"]


@pytest.mark.requirement("URS-WEB-005")
def test_an_unknown_filter_or_field_is_refused_by_name(desk):
    client = desk.client("engineer")
    told = problem(client.get("/api/results/", {"bacth": "x"}), 400)
    assert "bacth" in told["errors"]
    path = f"/api/batches/{desk.batch.number}/results/"
    told = problem(post(desk, "engineer", path, VALUE | {"state": "good"}), 400)
    assert "state" in told["errors"]
    assert problem(client.get("/api/recommendations/", {"state": "odd"}), 400)


@pytest.mark.requirement("URS-WEB-005")
def test_a_value_is_entered_converted_and_corrected(desk):
    path = f"/api/batches/{desk.batch.number}/results/"
    made = post(desk, "engineer", path, VALUE | {"value": 0.0142, "unit": "mol/L"})
    assert made.status_code == 201
    assert (made.json()["unit"], round(float(made.json()["value"]), 9)) == ("mM", 14.2)
    again = problem(post(desk, "engineer", path, VALUE), 409)
    assert "correct that one" in again["detail"]
    wrong = problem(post(desk, "engineer", path, VALUE | {"unit": "degC", "sampled_h": 1}), 409)
    assert "degC" in wrong["detail"]
    own = f"/api/results/{made.json()['id']}/correct/"
    body = {"value": 13.9, "unit": "mM", "reason": "diluted twice"}
    corrected = post(desk, "engineer", own, body)
    assert corrected.json()["corrects"] == made.json()["id"]
    problem(post(desk, "engineer", own, body), 409)


@pytest.mark.requirement("URS-WEB-005")
@pytest.mark.parametrize("who", OTHERS)
def test_the_rights_are_those_of_the_pages_and_refusals_are_recorded(desk, who):
    held = quarantine.put(
        desk.batch.equipment, batch=desk.batch, tag="ph", reason="value is nan", content={"a": "b"}
    )
    result = LabResult.objects.filter(batch=desk.batch)[0]
    why = {"reason": "because"}
    acts: dict[str, dict] = {
        "/api/batches/": why | {"equipment": "BR-201", "plant_batch": "P"},
        f"/api/batches/{desk.batch.number}/close/": why,
        f"/api/batches/{desk.batch.number}/results/": VALUE,
        f"/api/results/{result.pk}/correct/": why | {"value": 1, "unit": "mM"},
        f"/api/quarantine/{held.pk}/release/": why,
    }
    before = audit.Record.objects.filter(kind__endswith=".refused").count()
    for path, body in acts.items():
        problem(post(desk, who, path, body), 403)
    after = audit.Record.objects.filter(kind__endswith=".refused").count()
    assert after - before == len(acts)


@pytest.mark.requirement("URS-WEB-005")
@pytest.mark.requirement("URS-SIG-003")
def test_a_recommendation_is_read_with_its_view_and_signed_with_its_digest(desk):
    path = f"/api/recommendations/{desk.feed.pk}/"
    told = desk.client("reviewer").get(path).json()
    assert told["refused_because"] == []
    assert told["view"] == audit.view_digest(told["view_document"])
    assert told["view_document"]["evidence"]["why"]
    signing = desk.signing("reviewer", desk.feed)
    stale = problem(post(desk, "reviewer", f"{path}approve/", signing | {"view": "0" * 64}), 409)
    assert "changed" in stale["detail"]
    made = post(desk, "reviewer", f"{path}approve/", signing | {"view": told["view"]})
    assert made.status_code == 200, made.content
    assert made.json()["state"] == "approved"
    assert made.json()["signatures"][0]["printed_name"] == "Anna Meier"
    assert OutboxTask.objects.filter(key=f"write:{desk.feed.pk}").exists()
    problem(post(desk, "approver", f"{path}approve/", desk.signing("approver", desk.feed)), 409)


@pytest.mark.requirement("URS-REC-006")
def test_a_recommendation_is_asked_about_answered_and_rejected(desk):
    path = f"/api/recommendations/{desk.feed.pk}/"
    asked = post(desk, "reviewer", f"{path}ask/", {"question": "Why?"})
    assert asked.status_code == 201
    own = f"/api/questions/{asked.json()['id']}/answer/"
    problem(post(desk, "reviewer", own, {"answer": "x"}), 403)
    assert post(desk, "engineer", own, {"answer": "It pays."}).json()["answer"] == "It pays."
    problem(post(desk, "engineer", own, {"answer": "Again."}), 409)
    signing = desk.signing("reviewer", desk.feed)
    problem(post(desk, "reviewer", f"{path}reject/", signing | {"code_of_reason": "whim"}), 400)
    body = signing | {"code_of_reason": "too_late"}
    made = post(desk, "reviewer", f"{path}reject/", body)
    assert made.json()["state"] == "rejected"
    assert Recommendation.objects.get(pk=desk.feed.pk).state == "rejected"


@pytest.mark.requirement("URS-SIG-001")
def test_a_wrong_password_signs_nothing_and_says_what_to_do(desk):
    path = f"/api/recommendations/{desk.feed.pk}/approve/"
    told = problem(
        post(desk, "reviewer", path, desk.signing("reviewer", desk.feed, password="x")), 403
    )
    assert "next_code_at" in told
    assert Recommendation.objects.get(pk=desk.feed.pk).state == "proposed"


@pytest.mark.requirement("URS-DSK-004")
def test_parked_work_is_seen_by_all_and_retried_by_the_administrator(desk):
    task = factories.parked()
    told = desk.client("operator").get("/api/outbox/").json()
    assert (told["parked"], told["parked_tasks"][0]["error"]) == (1, task.error)
    path = f"/api/outbox/{task.pk}/retry/"
    problem(post(desk, "engineer", path, {"reason": "again"}), 403)
    assert post(desk, "administrator", path, {"reason": "again"}).json()["state"] == "waiting"
    problem(post(desk, "administrator", path, {"reason": "again"}), 409)


def test_who_holds_no_role_reads_nothing(desk):
    from django.test import Client

    from tests.web.serving import sign_in

    with transaction.atomic():
        nobody = audit.create_person(
            "nora", "Nora Ries", by=audit.process_actor(), reason="no role yet"
        )
    client = sign_in(Client(), nobody)
    assert client.get("/api/batches/").status_code == 403
    assert Client().get("/api/batches/").status_code == 401


@pytest.mark.requirement("URS-WEB-005")
def test_the_interface_is_described_with_units_and_examples(desk):
    from drf_spectacular.generators import SchemaGenerator

    schema = SchemaGenerator().get_schema(request=None, public=True)
    paths = schema["paths"]
    assert "/api/recommendations/{id}/approve/" in paths
    assert "/api/batches/{number}/results/" in paths
    fields = schema["components"]["schemas"]["LabResult"]["properties"]
    assert "hours since inoculation" in fields["sampled_h"]["description"]
    content = paths["/api/batches/{number}/results/"]["post"]["requestBody"]["content"]
    assert content["application/json"]["examples"]
