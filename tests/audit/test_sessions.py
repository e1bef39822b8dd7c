"""Sessions: opened with both components, kept open by the person alone, ended with a record."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import AsyncClient, Client
from django.utils import timezone

from audit import identity, ledger, sessions
from audit.actors import os_user_actor
from audit.models import OpenSession, Record, Role
from tests.audit.people import PASSWORD, Person, enter

pytestmark = pytest.mark.usefixtures("ledger_db")
WHY = "needed for the work"


@pytest.fixture
def quinn(ledger_db) -> Person:
    return enter("quinn", Role.QA_REVIEWER)


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves; it starts now and stands still."""

    class Clock:
        now = timezone.now()

        def forward(self, **lapse: float) -> None:
            self.now += timedelta(**lapse)

    clock = Clock()
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    return clock


def given(person: Person, now, **changes: str) -> dict[str, str]:
    return {
        "username": person.user.username,
        "password": PASSWORD,
        "code": person.code(now),
        **changes,
    }


def signed_in(person: Person, now, client: Client | None = None) -> Client:
    client = client or Client(REMOTE_ADDR="192.0.2.7")
    answer = client.post("/sign-in/", given(person, now))
    assert answer.status_code == 302, answer.content.decode()
    return client


def kinds_of(person: Person) -> list[str]:
    told = Record.objects.filter(stream=f"person/{person.user.pk}").order_by("id")
    return list(told.values_list("kind", flat=True))


def last(kind: str) -> dict:
    return ledger.content(Record.objects.filter(kind=kind).latest("id"))


@pytest.mark.requirement("URS-SIG-007")
def test_signing_in_and_out_are_records_with_session_and_address(quinn, clock):
    client = signed_in(quinn, clock.now)
    page = client.get("/account/")
    assert page.status_code == 200
    assert "Quinn Example" in page.content.decode()
    client.post("/sign-out/")
    assert client.get("/account/").status_code == 302
    assert kinds_of(quinn) == [
        "audit.session.proved",
        "audit.session.opened",
        "audit.session.closed",
    ]
    opened, closed = last("audit.session.opened"), last("audit.session.closed")
    assert opened["source"]["address"] == "192.0.2.7"
    assert opened["source"]["session"] == closed["source"]["session"] == closed["data"]["session"]
    assert opened["actor"]["name"] == closed["actor"]["name"] == "Quinn Example"


@pytest.mark.requirement("URS-SIG-007")
@pytest.mark.parametrize(
    "changes", [{"password": "quiet harbour at dawn"}, {"code": "000000"}, {"username": "nobody"}]
)
def test_a_refused_sign_in_is_recorded_and_says_the_same_whatever_was_wrong(quinn, clock, changes):
    answer = Client().post("/sign-in/", given(quinn, clock.now, **changes))
    assert answer.status_code == 403
    assert "Password or one-time code not accepted" in answer.content.decode()
    told = last("audit.session.refused")
    assert told["actor"]["kind"] == "process"
    assert told["data"]["name"] == changes.get("username", "quinn")
    assert PASSWORD not in str(told)


@pytest.mark.requirement("URS-SIG-008")
def test_sign_in_waits_after_five_failures_for_known_and_unknown_names_alike(quinn, clock):
    for name in ("quinn", "nobody"):
        for _ in range(5):
            Client().post("/sign-in/", given(quinn, clock.now, username=name, code="000000"))
        answer = Client().post("/sign-in/", given(quinn, clock.now, username=name))
        assert "Too many failed attempts" in answer.content.decode()
    elsewhere = Client(REMOTE_ADDR="192.0.2.8")
    signed_in(quinn, clock.now, elsewhere)  # the owner, from another place, is not kept out


@pytest.mark.requirement("URS-SIG-002")
def test_the_code_of_the_sign_in_does_not_sign(quinn, clock):
    signed_in(quinn, clock.now)
    with pytest.raises(Exception, match="used before"):
        quinn.prove(clock.now)


@pytest.mark.requirement("URS-SIG-009")
@pytest.mark.parametrize(
    ("path", "headers"),
    [("/live/session/", {}), ("/account/", {"X-Background": "1"})],
)
def test_polls_do_not_keep_a_session_open(quinn, clock, path, headers):
    client = signed_in(quinn, clock.now)
    for _ in range(14):
        clock.forward(minutes=1)
        assert client.get(path, headers=headers).status_code == 200
    clock.forward(minutes=1)
    assert client.get(path, headers=headers).status_code == 401
    assert kinds_of(quinn)[-1] == "audit.session.expired"
    assert last("audit.session.expired")["reason"] == "idle"
    assert OpenSession.objects.count() == 0


@pytest.mark.requirement("URS-SIG-009")
def test_own_requests_keep_a_session_open_up_to_twelve_hours(quinn, clock):
    client = signed_in(quinn, clock.now)
    for _ in range(12 * 6 - 1):
        clock.forward(minutes=10)
        assert client.get("/account/").status_code == 200
    clock.forward(minutes=10)
    answer = client.get("/account/")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/signed-out/?cause=timed_out&next=%2Faccount%2F"
    assert last("audit.session.expired")["reason"] == "absolute"


def test_a_poll_says_when_the_session_ends_and_a_request_to_go_on_moves_the_end(quinn, clock):
    client = signed_in(quinn, clock.now)
    first = client.get("/live/session/").json()["ends"]
    clock.forward(minutes=5)
    assert client.get("/live/session/").json()["ends"] == first
    assert client.post("/session/extend/").json()["ends"] > first


@pytest.mark.requirement("URS-SIG-009")
def test_a_stream_can_ask_whether_its_session_lives_without_touching_it(quinn, clock):
    client = signed_in(quinn, clock.now)
    key = client.cookies["sessionid"].value
    clock.forward(minutes=14)
    assert sessions.is_alive(key)
    clock.forward(minutes=1)
    assert not sessions.is_alive(key)


@pytest.mark.requirement("URS-SIG-009")
def test_sessions_that_ran_out_unseen_are_ended_and_recorded(quinn, clock):
    signed_in(quinn, clock.now)
    assert sessions.sweep() == 0
    clock.forward(minutes=15)
    assert sessions.sweep() == 1
    assert sessions.sweep() == 0
    assert kinds_of(quinn)[-1] == "audit.session.expired"


@pytest.mark.requirement("URS-SIG-007")
def test_no_session_opens_when_its_record_cannot_be_written(quinn, clock, monkeypatch):
    def full(*_, **__):
        raise OperationalError("no space left")

    monkeypatch.setattr(sessions, "_append", full)
    client = Client(raise_request_exception=False)
    body = given(quinn, clock.now)
    answer = client.post("/api/session/", body, content_type="application/json")
    assert answer.status_code == 503
    assert OpenSession.objects.count() == 0
    assert client.get("/account/").status_code == 302


@pytest.mark.requirement("URS-SIG-010")
def test_a_deactivated_person_is_out_at_once(quinn, clock):
    client = signed_in(quinn, clock.now)
    identity.change_person(quinn.user, is_active=False, by=os_user_actor(), reason=WHY)
    assert client.get("/account/").status_code == 302
    assert last("audit.session.closed")["reason"] == "account deactivated"
    clock.forward(seconds=30)
    answer = Client().post("/sign-in/", given(quinn, clock.now))
    assert answer.status_code == 403
    assert last("audit.session.refused")["data"]["failed"] == ["inactive"]


@pytest.mark.requirement("URS-SIG-010")
def test_a_changed_password_ends_the_other_sessions_and_keeps_this_one(quinn, clock):
    other = signed_in(quinn, clock.now)
    clock.forward(seconds=30)
    client = signed_in(quinn, clock.now)
    clock.forward(seconds=30)
    new = "another harbour at dawn"
    form = {"password": PASSWORD, "code": quinn.code(clock.now), "new_password": new, "again": new}
    assert client.post("/account/", form).status_code == 302
    assert client.get("/account/").status_code == 200
    assert other.get("/account/").status_code == 302
    assert "audit.credential.set" in Record.objects.filter(stream="people").values_list(
        "kind", flat=True
    )


def test_a_password_is_not_changed_without_the_present_one(quinn, clock):
    client = signed_in(quinn, clock.now)
    clock.forward(seconds=30)
    form = {"password": "wrong", "code": quinn.code(clock.now)}
    form |= {"new_password": "another harbour at dawn", "again": "another harbour at dawn"}
    assert client.post("/account/", form).status_code == 409
    clock.forward(seconds=30)
    quinn.prove(clock.now)  # the old password holds


@pytest.mark.requirement("URS-SIG-010")
def test_a_row_of_a_session_bound_to_an_old_credential_lets_nobody_in(quinn, clock):
    client = signed_in(quinn, clock.now)
    row = OpenSession.objects.get()
    kept = {f.attname: getattr(row, f.attname) for f in OpenSession._meta.concrete_fields}
    identity.enrol_code(quinn.user, by=quinn.user, reason="telephone lost")
    OpenSession.objects.create(**kept)  # as if its removal had been undone
    assert client.get("/account/").status_code == 302


@pytest.mark.requirement("URS-SIG-011")
def test_a_person_without_a_role_sees_the_own_account_alone(ledger_db, clock):
    client = signed_in(enter("newcomer"), clock.now)
    assert client.get("/account/").status_code == 200
    assert client.get("/people/").status_code == 403
    assert last("audit.access.refused")["actor"]["name"] == "Newcomer Example"


def test_pages_ask_for_a_session_first_and_come_back_after_it(quinn, clock):
    client = Client()
    answer = client.get("/people/?as_of=2026-01-01")
    assert answer.headers["Location"] == "/sign-in/?next=%2Fpeople%2F%3Fas_of%3D2026-01-01"
    form = given(quinn, clock.now, next="https://elsewhere.example/")
    assert client.post("/sign-in/", form).headers["Location"] == "/"


@pytest.mark.requirement("URS-SIG-011")
def test_an_administrator_changes_roles_on_the_page_and_others_are_refused(quinn, clock):
    sam = enter("sam", Role.SYSTEM_ADMINISTRATOR)
    target = f"/people/{quinn.user.pk}/grant/"
    form = {"grant-role": Role.QA_APPROVER, "grant-reason": "stands in for Amara"}
    own = signed_in(quinn, clock.now)
    assert own.post(target, form).status_code == 403
    refusal = last("audit.act.refused")
    assert refusal["data"]["where"] == f"POST {target}"
    assert quinn.user.roles() == {Role.QA_REVIEWER}
    client = signed_in(sam, clock.now)
    assert client.post(target, form).status_code == 302
    assert quinn.user.roles() == {Role.QA_REVIEWER, Role.QA_APPROVER}
    page = client.get(f"/people/{quinn.user.pk}/").content.decode()
    assert "QA approver" in page
    granted = last("audit.role.granted")
    assert granted["actor"]["name"] == "Sam Example"
    assert granted["source"]["session"]


@pytest.mark.requirement("URS-WEB-001")
def test_markup_in_a_name_is_shown_as_text_and_a_form_without_token_is_refused(quinn, clock):
    sam = enter("sam", Role.SYSTEM_ADMINISTRATOR)
    by = os_user_actor()
    identity.change_person(quinn.user, printed_name="<b>Quinn</b>", by=by, reason=WHY)
    client = Client(enforce_csrf_checks=True)
    page = signed_in(sam, clock.now, Client()).get("/people/").content.decode()
    assert "&lt;b&gt;Quinn" in page
    assert client.post("/sign-in/", given(quinn, clock.now)).status_code == 403
    assert last("audit.access.refused")["reason"].startswith("the form's token")


@pytest.mark.requirement("URS-SIG-010")
def test_the_people_page_tells_the_past(quinn, clock):
    page = signed_in(quinn, clock.now).get("/people/?as_of=2020-01-01").content.decode()
    assert "Nobody was known at that time" in page


@pytest.mark.requirement("URS-SIG-009")
def test_the_same_limits_hold_under_the_asynchronous_server(quinn, clock):
    from asgiref.sync import async_to_sync

    key = signed_in(quinn, clock.now).cookies["sessionid"].value
    client = AsyncClient()
    client.cookies["sessionid"] = key
    assert async_to_sync(client.get)("/live/session/").status_code == 200
    clock.forward(minutes=15)
    assert async_to_sync(client.get)("/live/session/").status_code == 401
    assert kinds_of(quinn)[-1] == "audit.session.expired"
