"""Model versions over the interface: the same rules, the same refusals."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from models_registry import testing
from models_registry.lifecycle import Phase
from models_registry.models import ModelVersion
from tests.audit.people import PASSWORD, enter
from tests.models_registry.conftest import person


@pytest.fixture
def approver(ledger_db):
    return enter("qa-approver", "qa_approver")


@pytest.fixture
def version(approver, prove):
    with transaction.atomic():
        others = ("author", "process_engineer", "validation_engineer", "qa_reviewer")
        people = {name: person(name, "process_engineer") for name in others[:2]}
        people |= {name: person(name, name) for name in others[2:]}
        people["qa_approver"] = approver.user
        return testing.version_in(Phase.VALIDATED, people=people, prove=prove)


@pytest.fixture
def client_of(monkeypatch):
    moment = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: moment)

    def signed_in(member):
        client = Client()
        given = {"username": member.user.username, "password": PASSWORD}
        given["code"] = member.code(moment - timedelta(seconds=30))  # one code before
        assert client.post("/api/session/", given, "application/json").status_code == 201
        return client, member.code(moment)

    return signed_in


def act_on(client, version, act, view, code):
    given = {"view": view, "password": PASSWORD, "code": code, "reason": "fit for use"}
    return client.post(f"/api/models/{version.pk}/{act}/", given, "application/json")


@pytest.mark.requirement("URS-REG-003")
def test_a_version_is_read_and_put_in_force(version, approver, client_of):
    client, code = client_of(approver)
    told = client.get(f"/api/models/{version.pk}/").json()
    assert (told["phase"], told["asset"], told["scores"]["batches"]) == ("validated", "BR-101", 2)
    assert told["card"]["impact"] == "medium" and len(told["history"]) == 8
    acts = {act["act"]: act for act in told["acts"]}
    assert "needs the role" not in (acts["put_in_force"]["refused_because"] or "")
    assert acts["put_in_force"]["refused_because"] is None
    assert "cannot verify" in acts["verify"]["refused_because"]
    assert client.get("/api/models/in-force/?asset=BR-101").status_code == 404

    answer = act_on(client, version, "put_in_force", acts["put_in_force"]["view"], code)
    assert (answer.status_code, answer.json()["phase"]) == (200, "in_force")
    assert client.get("/api/models/in-force/?asset=BR-101").json()["id"] == str(version.pk)
    listed = client.get("/api/models/?asset=BR-101&phase=in_force").json()["results"]
    assert [row["name"] for row in listed] == ["v1"]


@pytest.mark.requirement("URS-REG-003")
def test_a_refused_act_answers_with_the_reason(version, approver, client_of):
    client, code = client_of(approver)
    told = client.get(f"/api/models/{version.pk}/").json()
    view = next(act["view"] for act in told["acts"] if act["act"] == "verify")
    answer = act_on(client, version, "verify", view, code)
    assert answer.status_code == 409
    assert "cannot verify a model version that is validated" in answer.json()["detail"]
    assert ModelVersion.objects.get(pk=version.pk).phase == Phase.VALIDATED


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/api/models/00000000-0000-7000-8000-000000000000/", 404),
        ("/api/models/?phase=certified", 400),
        ("/api/models/?colour=red", 400),
        ("/api/models/in-force/", 400),
        ("/api/models/in-force/?asset=BR-999", 404),
    ],
)
def test_a_wrong_question_is_answered_as_such(approver, client_of, address, status):
    client, _ = client_of(approver)
    answer = client.get(address)
    assert answer.status_code == status
    assert answer.json()["what_to_do"]


def test_nobody_reads_versions_without_a_session(ledger_db, client):
    assert client.get("/api/models/").status_code == 401
