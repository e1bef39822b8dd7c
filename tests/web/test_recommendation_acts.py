"""Signing, rejecting, asking and answering on the recommendation's page."""

import pytest
from django.urls import reverse

from audit import api as audit
from tests.twin_core import factories
from twin_core.insight import recommendations
from twin_core.models import OutboxTask, Question, Recommendation


def address(name: str, found: Recommendation, *more) -> str:
    return reverse(f"web:{name}", args=[found.pk, *more])


def state(found: Recommendation) -> str:
    return Recommendation.objects.get(pk=found.pk).state


def sign_as(desk, who: str, found: Recommendation, **changes: str):
    return desk.client(who).post(address("sign", found), desk.signing(who, found, **changes))


@pytest.mark.requirement("URS-REC-003")
@pytest.mark.requirement("URS-SIG-001")
def test_a_signature_approves_and_orders_the_write(desk):
    answer = sign_as(desk, "reviewer", desk.feed)
    assert (answer.status_code, answer.url) == (302, address("recommendation", desk.feed))
    assert state(desk.feed) == "approved"
    assert OutboxTask.objects.filter(name="write", key=f"write:{desk.feed.pk}").exists()
    page = desk.client("auditor").get(answer.url).context["page"]
    made = page.signatures[0]
    assert (made.printed_name, made.meaning, made.is_valid) == ("Anna Meier", "Approval", True)
    assert made.reason == "consistent with the last two days"
    assert [step.state for step in page.steps] == ["proposed", "approved"]
    paper = desk.client("auditor").get(address("decision", desk.feed)).content.decode()
    assert "Anna Meier" in paper and "Approval" in paper and "UTC" in paper and "CET" in paper


@pytest.mark.requirement("URS-REC-003")
def test_two_people_sign_what_cannot_be_undone(desk):
    assert sign_as(desk, "reviewer", desk.temperature).status_code == 302
    assert state(desk.temperature) == "proposed"
    page = desk.client("approver").get(reverse("web:desk")).context["page"]
    assert page.mine[0].waits_for == "your second signature"
    assert page.mine[0].note == "signed by Anna Meier"
    again = desk.client("reviewer").post(
        address("sign", desk.temperature), desk.signing("reviewer", desk.temperature)
    )
    assert again.status_code == 409
    assert "you have signed this already" in again.content.decode()
    assert sign_as(desk, "approver", desk.temperature).status_code == 302
    assert state(desk.temperature) == "approved"


@pytest.mark.requirement("URS-SIG-011")
@pytest.mark.parametrize("who", ["engineer", "validator", "auditor", "administrator", "operator"])
def test_who_is_not_of_quality_assurance_does_not_sign_and_sees_no_dialog(desk, who):
    page = desk.client(who).get(address("recommendation", desk.feed)).context["page"]
    assert not {dialog.id for dialog in page.dialogs} & {"sign", "reject", "ask"}
    assert "QA reviewer" in page.may_not_sign
    assert sign_as(desk, who, desk.feed).status_code == 403
    ask = desk.client(who).post(address("ask", desk.feed), {"question": "Why?"})
    assert ask.status_code == 403
    assert state(desk.feed) == "proposed"


@pytest.mark.requirement("URS-SIG-006")
def test_the_author_neither_signs_nor_rejects(desk):
    chief = audit.User.objects.get(username="chief")
    desk.site.people["chief"] = factories.Person(chief, "")
    page = desk.client("chief").get(address("recommendation", desk.feed)).context["page"]
    assert {dialog.id for dialog in page.dialogs} == {"ask"}
    assert "its author may not sign" in page.may_not_sign.lower()


@pytest.mark.requirement("URS-SIG-003")
def test_a_stale_view_is_refused_before_a_code_is_used_and_recorded(desk):
    given = desk.signing("reviewer", desk.feed)
    asked = recommendations.ask(desk.feed.pk, asker=desk.site.user("approver"), question="Why?")
    recommendations.answer(asked.pk, person=desk.site.user("engineer"), words="Because.")
    client = desk.client("reviewer")
    answer = client.post(address("sign", desk.feed), given)
    assert answer.status_code == 409
    page = answer.context["page"]
    assert "what you were shown has changed since" in page.notice
    assert state(desk.feed) == "proposed"
    record = audit.Record.objects.filter(kind="audit.signature.refused").latest("id")
    assert audit.content(record)["data"]["shown"] == given["view"]
    dialog = next(dialog for dialog in page.dialogs if dialog.id == "sign")
    assert dialog.form["view"].value() == dialog.view_digest == page.view_digest
    fresh = given | {"view": page.view_digest}
    assert client.post(address("sign", desk.feed), fresh).status_code == 302


@pytest.mark.requirement("URS-REC-007")
def test_the_second_reviewer_is_told_who_decided_meanwhile(desk):
    given = desk.signing("approver", desk.feed)
    shown = given["view"]
    assert sign_as(desk, "reviewer", desk.feed).status_code == 302
    second = desk.client("approver")
    moved = second.get(address("moved", desk.feed), {"shown": shown}).content.decode()
    assert "Approved by Anna Meier" in moved
    answer = second.post(address("sign", desk.feed), given)
    assert answer.status_code == 409
    page = answer.context["page"]
    assert "Nothing was signed or sent by you" in page.notice
    assert "approved by Anna Meier" in page.notice
    assert not page.dialogs
    now = page.view_digest
    assert second.get(address("moved", desk.feed), {"shown": now}).content == b""
    assert len(page.signatures) == 1


@pytest.mark.requirement("URS-SIG-001")
@pytest.mark.parametrize(
    ("changes", "status"),
    [({"password": "wrong horse"}, 403), ({"code": "000000"}, 403), ({"reason": ""}, 400),
     ({"view": "x"}, 400), ({"code": ""}, 400)],
)  # fmt: skip
def test_a_signature_with_a_wrong_part_does_nothing_and_the_dialog_says_what_to_do(
    desk, changes, status
):
    answer = sign_as(desk, "reviewer", desk.feed, **changes)
    assert answer.status_code == status
    dialog = next(dialog for dialog in answer.context["page"].dialogs if dialog.id == "sign")
    assert dialog.is_open
    assert dialog.form.errors
    assert state(desk.feed) == "proposed"
    assert "wrong horse" not in answer.content.decode()


@pytest.mark.requirement("URS-SIG-002")
def test_a_used_code_is_refused_and_the_dialog_says_when_the_next_is_accepted(desk):
    client, given = desk.client("reviewer"), desk.signing("reviewer", desk.temperature)
    assert client.post(address("sign", desk.temperature), given).status_code == 302
    used = given | {"view": desk.signing("reviewer", desk.feed)["view"]}
    answer = client.post(address("sign", desk.feed), used)
    if answer.status_code == 302:
        pytest.fail("a code was accepted twice")
    dialog = next(dialog for dialog in answer.context["page"].dialogs if dialog.id == "sign")
    assert "used before" in str(dialog.form.errors) or "not accepted" in str(dialog.form.errors)
    assert state(desk.feed) == "proposed"


@pytest.mark.requirement("URS-REC-006")
def test_a_rejection_has_a_coded_reason_and_a_signature(desk):
    given = desk.signing("reviewer", desk.feed, reason="") | {"reason_code": "data_quality"}
    client = desk.client("reviewer")
    assert client.post(address("reject", desk.feed), given).status_code == 302
    page = client.get(address("recommendation", desk.feed)).context["page"]
    assert (page.state, page.signatures[0].meaning) == ("rejected", "Rejection")
    told = audit.content(
        audit.Record.objects.filter(kind="twin_core.recommendation.rejected").latest("id")
    )
    assert told["data"]["code"] == "data_quality"


@pytest.mark.requirement("URS-REC-006")
@pytest.mark.parametrize(
    ("code", "reason", "status"), [("", "", 400), ("whim", "", 400), ("other", " ", 409)]
)
def test_a_rejection_without_a_listed_reason_is_refused(desk, code, reason, status):
    given = desk.signing("reviewer", desk.feed, reason=reason) | {"reason_code": code}
    answer = desk.client("reviewer").post(address("reject", desk.feed), given)
    assert answer.status_code == status
    assert state(desk.feed) == "proposed"


@pytest.mark.requirement("URS-REC-006")
def test_a_question_stops_signing_until_a_process_engineer_answers(desk):
    reviewer, engineer = desk.client("reviewer"), desk.client("engineer")
    question = {"question": "Why not 7.4 mL/h?"}
    for _ in range(2):  # a second click asks nothing new
        assert reviewer.post(address("ask", desk.feed), question).status_code == 302
    asked = Question.objects.get(recommendation=desk.feed)
    page = reviewer.get(address("recommendation", desk.feed)).context["page"]
    assert "wait for an answer" in page.may_not_sign
    assert "sign" not in {dialog.id for dialog in page.dialogs}
    assert sign_as(desk, "approver", desk.feed).status_code == 409
    own = address("answer", desk.feed, asked.pk)
    assert reviewer.post(own, {"answer": "I answer myself"}).status_code == 403
    assert engineer.post(own, {"answer": ""}).status_code == 400
    assert engineer.post(own, {"answer": "It yields less."}).status_code == 302
    assert engineer.post(own, {"answer": "Again."}).status_code == 409
    page = reviewer.get(address("recommendation", desk.feed)).context["page"]
    assert page.questions[0].answer == "It yields less."
    assert "sign" in {dialog.id for dialog in page.dialogs}
    other = address("answer", desk.temperature, asked.pk)
    assert engineer.post(other, {"answer": "x"}).status_code == 404


@pytest.mark.requirement("URS-REC-005")
def test_expired_advice_is_not_signed_and_says_why(desk):
    factories.results(desk.batch, ("glucose",), 181.0, 183.0)
    page = desk.client("reviewer").get(address("recommendation", desk.feed)).context["page"]
    assert "expired at 180.00 h" in page.may_not_sign
    assert sign_as(desk, "reviewer", desk.feed).status_code == 409
    assert state(desk.feed) == "proposed"
