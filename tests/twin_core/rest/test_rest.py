"""The interface for programs: the same people, rules and records as the pages."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone

from audit import checkpoint, ledger, merkle, refusals, signatures
from audit.models import Record, Role
from tests.audit.people import PASSWORD, Person, enter
from tests.audit.sealing import Ledger

pytestmark = pytest.mark.usefixtures("ledger_db")


@pytest.fixture
def quinn(ledger_db) -> Person:
    return enter("quinn", Role.QA_REVIEWER)


class Caller:
    """A script that keeps its cookies and sends the token of its session."""

    def __init__(self, person: Person | None = None) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.token = ""
        if person is not None:
            self.opened = self.post("/api/session/", sign_in_of(person))
            assert self.opened.status_code == 201, self.opened.content
            self.token = self.opened.json()["csrf_token"]

    def get(self, path: str, **query: str):
        return self.client.get(path, query)

    def post(self, path: str, body: dict, **options):
        headers = {"X-CSRFToken": self.token}
        return self.client.post(
            path, body, content_type="application/json", headers=headers, **options
        )


def sign_in_of(person: Person, **changes: str) -> dict[str, str]:
    code = person.code(timezone.now())
    return {"username": person.user.username, "password": PASSWORD, "code": code, **changes}


def last(kind: str) -> dict:
    return ledger.content(Record.objects.filter(kind=kind).latest("id"))


def problem_of(answer, status: int) -> dict:
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["what_to_do"]
    return told


@pytest.mark.requirement("URS-WEB-005")
def test_a_script_signs_in_reads_itself_and_signs_out(quinn):
    caller = Caller(quinn)
    me = caller.get("/api/session/").json()
    assert me["person"]["printed_name"] == "Quinn Example"
    assert me["person"]["roles"] == [Role.QA_REVIEWER]
    assert datetime.fromisoformat(me["next_code_at"]) > datetime.now(UTC) - timedelta(seconds=30)
    out = caller.client.delete("/api/session/", headers={"X-CSRFToken": caller.token})
    assert out.status_code == 204
    assert caller.get("/api/session/").json()["person"] is None


@pytest.mark.requirement("URS-SIG-007")
def test_a_refused_sign_in_is_a_problem_document_and_recorded_once(quinn):
    answer = Caller().post("/api/session/", sign_in_of(quinn, password="wrong"))
    told = problem_of(answer, 403)
    assert told["detail"] == "password or one-time code not accepted"
    assert datetime.fromisoformat(told["next_code_at"])
    assert Record.objects.filter(kind__endswith=".refused").count() == 1
    assert "wrong" not in answer.content.decode()


@pytest.mark.requirement("URS-WEB-005")
@pytest.mark.parametrize("extra", [{"role": "auditor"}, {"is_active": "true"}])
def test_fields_that_nobody_asked_for_are_refused(quinn, extra):
    told = problem_of(Caller().post("/api/session/", sign_in_of(quinn) | extra), 400)
    assert list(told["errors"]) == list(extra)


@pytest.mark.parametrize("path", ["/api/people/", "/api/records/", "/api/signatures/"])
def test_nothing_is_read_without_a_session_or_a_role(quinn, path):
    problem_of(Caller().get(path), 401)
    problem_of(Caller(enter("newcomer")).get(path), 403)
    assert last("audit.access.refused")["data"]["where"] == f"GET {path}"
    assert Caller(quinn).get(path).status_code == 200


@pytest.mark.requirement("URS-WEB-001")
def test_an_act_without_the_token_of_the_session_is_refused(quinn):
    caller = Caller(quinn)
    caller.token = ""
    problem_of(caller.client.delete("/api/session/"), 403)
    assert caller.get("/api/session/").json()["person"]


@pytest.mark.requirement("URS-SIG-010")
def test_people_are_read_as_of_a_moment(quinn):
    caller = Caller(quinn)
    (now,) = caller.get("/api/people/").json()
    assert (now["username"], now["roles"]) == ("quinn", [Role.QA_REVIEWER])
    assert caller.get("/api/people/", as_of="2020-01-01T00:00:00Z").json() == []
    problem_of(caller.get("/api/people/", as_of="yesterday"), 400)


def test_records_are_filtered_paged_by_key_and_the_look_is_recorded(quinn):
    caller = Caller(quinn)
    first = caller.get("/api/records/", stream="people", page_size="2").json()
    assert [r["kind"] for r in first["results"]] == ["audit.role.granted", "audit.credential.set"]
    second = caller.client.get(first["next"]).json()
    assert second["results"][0]["kind"] == "audit.credential.set"
    assert second["results"][-1]["kind"] == "audit.person.created"
    looked = last("audit.trail.viewed")
    assert looked["data"]["filters"] == {"stream": "people"}
    assert looked["actor"]["name"] == "Quinn Example"
    mine = caller.get("/api/records/", person=str(quinn.user.pk), kind="audit.session").json()
    assert {r["kind"] for r in mine["results"]} == {"audit.session.opened", "audit.session.proved"}
    problem_of(caller.get("/api/records/", payload__contains="x"), 400)


@pytest.mark.parametrize("count", [3, 300])
def test_a_record_comes_with_a_proof_that_a_stranger_can_check(quinn, services, tmp_path, count):
    with transaction.atomic():
        records = [ledger.append(stream="bulk", kind="test.thing.noted") for _ in range(count)]
    sealer = Ledger(services, connection.settings_dict["NAME"], tmp_path / "checkpoints")
    while sealer.seal():
        pass
    caller = Caller(quinn)
    for record in (records[0], records[-1]):
        told = caller.get(f"/api/records/{record.pk}/").json()
        proof = told["inclusion"]
        head = checkpoint.verify(proof["checkpoint"], sealer.keys)
        assert head.tree_size == proof["tree_size"] > count
        assert proof["holds"] is True
        assert merkle.verify_inclusion(
            merkle.leaf_hash(told["payload"].encode()),
            index=proof["sequence"],
            size=head.tree_size,
            proof=[bytes.fromhex(node) for node in proof["hashes"]],
            root=head.root,
        )


def test_a_record_comes_with_its_signatures(quinn):
    caller = Caller(quinn)
    proof = quinn.prove(timezone.now() + timedelta(seconds=30))
    with transaction.atomic():
        record = ledger.append(stream="batch/B-1", kind="test.thing.approved")
        signatures.sign(
            record,
            signer=quinn.user,
            proof=proof,
            meaning="approval",
            reason="complete",
            view={"shown": "this"},
        )
    before = caller.get(f"/api/records/{record.pk}/").json()
    assert before["inclusion"] is None
    assert before["is_intact"] is True
    (signature,) = before["signatures"]
    assert (signature["printed_name"], signature["is_valid"]) == ("Quinn Example", True)
    (listed,) = caller.get("/api/signatures/").json()["results"]
    assert listed == signature


def test_a_record_that_is_not_there_is_a_problem_document(quinn):
    caller = Caller(quinn)
    problem_of(caller.get("/api/records/019a0000-0000-7000-8000-000000000000/"), 404)
    problem_of(caller.post("/api/records/", {}), 405)


@pytest.mark.requirement("URS-WEB-008")
def test_a_silent_database_is_said_and_hides_its_details(quinn, monkeypatch):
    caller = Caller(quinn)

    def silent(*_):
        raise OperationalError("connection to 10.0.0.7 refused")

    monkeypatch.setattr("audit.trail.search", silent)
    told = problem_of(caller.get("/api/records/"), 503)
    assert "10.0.0.7" not in str(told)


def test_a_refusal_is_recorded_once(ledger_db):
    refusal = refusals.Refused("too late", stream="batch/B-1", act="test.thing.approved")
    refusals.record(refusal, where="POST /x")
    assert refusals.record(refusal) is None
    (told,) = Record.objects.filter(kind="test.thing.approved.refused")
    assert ledger.content(told)["reason"] == "too late"


def test_the_interface_describes_itself_and_its_page_needs_nothing_from_elsewhere(quinn):
    caller = Caller(quinn)
    schema = caller.get("/api/schema/", format="json")
    assert schema.status_code == 200
    assert "/api/session/" in schema.json()["paths"]
    page = caller.get("/api/docs/").content.decode()
    assert "/api/records/{id}/" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert Caller().get("/api/docs/").status_code in {302, 401, 403}


def test_every_list_and_act_of_the_schema_says_what_it_does(quinn):
    schema = Caller(quinn).get("/api/schema/", format="json").json()
    for path, methods in schema["paths"].items():
        for method, about in methods.items():
            assert about.get("description") or about.get("summary"), f"{method} {path}"
