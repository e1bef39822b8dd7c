"""A client that brings the time of its act is refused, and its time stands nowhere."""

from itertools import cycle, islice, product
from uuid import uuid4

import pytest
from django.db import connection
from django.test import RequestFactory
from drf_spectacular.generators import SchemaGenerator

from audit.api import TimeUnsynchronised
from audit.models import Role
from tests.audit.people import enter
from tests.twin_core.rest.test_rest import Caller, sign_in_of
from twin_core.config import errors
from twin_core.rest import parsers

pytestmark = pytest.mark.requirement("URS-AUD-043")
THEIRS = "1999-12-31T23:59:59Z"
HEADERS = {"Date": "Fri, 31 Dec 1999 23:59:59 GMT", "X-Timestamp": THEIRS, "X-Signed-At": THEIRS}


def writing_paths() -> list[tuple[str, str]]:
    """Return (method, path) of every request of the interface that brings a body."""
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return sorted(
        (method, path.replace("{id}", str(uuid4())).replace("{act}", "specify"))
        for path, methods in paths.items()
        for method in methods
        if method in {"post", "put", "patch"}
    )


def stored_times_of_theirs() -> int:
    """Count what stands in the record store and in sessions of the client's time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM audit_record WHERE payload LIKE '%1999-12-31%') + "
            "(SELECT count(*) FROM audit_signature WHERE signed_at < '2000-01-01') + "
            "(SELECT count(*) FROM audit_opensession WHERE opened_at < '2000-01-01')"
        )
        return cursor.fetchone()[0]


@pytest.mark.fault("TIM-03")
def test_no_time_of_a_client_is_used(campaign, ledger_db):
    person = enter("quinn", *(set(Role) - {Role.SYSTEM_ADMINISTRATOR}))
    caller = Caller(person)
    requests = [*product(writing_paths(), sorted(parsers.TIMES))]
    assert len({path for (_, path), _ in requests}) > 10
    used = 0
    for n, ((method, path), name) in enumerate(
        islice(cycle(requests[:: max(1, len(requests) // 97)]), campaign.runs)
    ):
        body = {name: THEIRS} if n % 2 else {"reason": "r", "values": [{name: THEIRS}]}
        answer = getattr(caller.client, method)(
            path,
            body,
            content_type="application/json",
            headers={"X-CSRFToken": caller.token, **HEADERS},
        )
        used += 200 <= answer.status_code < 300
        assert answer.status_code in {403, 404, 409, 422}, (path, answer.content)
    campaign.saw(client_times_used=used + stored_times_of_theirs())


def test_the_refusal_names_the_field(ledger_db):
    person = enter("quinn", Role.QA_REVIEWER)
    answer = Caller().post("/api/session/", {**sign_in_of(person), "Signed_At": THEIRS})
    assert answer.status_code == 422
    assert "Signed_At: times of acts and records are the system's own" in answer.json()["detail"]
    assert answer.json()["what_to_do"].startswith("Leave out")


def test_headers_of_time_change_nothing(ledger_db):
    person = enter("quinn", Role.QA_REVIEWER)
    caller = Caller()
    answer = caller.client.post(
        "/api/session/", sign_in_of(person), content_type="application/json", headers=HEADERS
    )
    assert answer.status_code == 201
    assert stored_times_of_theirs() == 0


@pytest.mark.parametrize("content", [{}, [], {"reason": "at noon"}, {"process_time_h": "12"}, 7])
def test_what_is_no_time_passes(content):
    assert list(parsers.times_in(content)) == []


def test_time_in_doubt_is_answered_as_an_outage_with_its_code():
    refusal = TimeUnsynchronised("the clocks of database and application differ by +5.0 s")
    answer = errors.answer_to(refusal, RequestFactory().post("/api/recommendations/"))
    assert (answer.status_code, answer.data["code"]) == (503, "time_unsynchronised")
    assert "time server" in answer.data["what_to_do"]
