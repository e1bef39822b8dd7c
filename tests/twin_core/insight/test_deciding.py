"""Signing, rejecting, asking, expiring: each guard of a decision, and the database behind it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import DatabaseError, connection, connections, transaction

from audit import api as audit
from models_registry import testing
from tests.twin_core import factories
from twin_core.data import batches, trust
from twin_core.insight import recommendations, standing
from twin_core.lifecycle.table import TransitionRefused
from twin_core.models import OutboxTask, Recommendation


def sign(desk, who, found, **changes):
    """Sign as somebody who has just read the page; ``changes`` replace what is sent."""
    signer = audit.User.objects.get(username=who)
    found = Recommendation.objects.get(pk=found.pk)
    facts = {
        "signer": signer,
        "proof": changes.pop("proof", None) or factories.proved(signer),
        "reason": "consistent with the last two days",
        "shown": audit.view_digest(standing.view(found)),
    }
    act = changes.pop("act", recommendations.approve)
    return act(found.pk, **facts | changes)


def reject(desk, who, found, **changes):
    return sign(desk, who, found, act=recommendations.reject, **{"code": "too_late"} | changes)


def state(found) -> str:
    return Recommendation.objects.get(pk=found.pk).state


def is_ordered(found) -> bool:
    return OutboxTask.objects.filter(key=f"write:{found.pk}").exists()


@pytest.fixture
def unchanged(desk):
    """Whatever a test tries, both recommendations stay proposed, unsigned and unordered."""
    before = audit.Signature.objects.filter(signed__stream=f"batch/{desk.batch.number}").count()
    yield desk
    for found in (desk.feed, desk.temperature):
        assert state(found) == "proposed"
        assert not is_ordered(found)
    after = audit.Signature.objects.filter(signed__stream=f"batch/{desk.batch.number}").count()
    assert after == before


@pytest.mark.requirement("URS-REC-003")
def test_one_signature_approves_a_change_of_low_impact_and_orders_its_write(desk):
    assert not is_ordered(desk.feed)
    found = sign(desk, "reviewer", desk.feed)
    assert (state(found), is_ordered(found)) == ("approved", True)
    assert [made.meaning for made in standing.signatures(found)] == ["Approval"]


@pytest.mark.requirement("URS-REC-003")
def test_high_impact_needs_a_second_signature_of_another_person_before_anything_is_ordered(desk):
    sign(desk, "reviewer", desk.temperature)
    assert (state(desk.temperature), is_ordered(desk.temperature)) == ("proposed", False)
    with pytest.raises(TransitionRefused, match="the same person has signed it already"):
        sign(desk, "reviewer", desk.temperature)
    assert (state(desk.temperature), is_ordered(desk.temperature)) == ("proposed", False)
    sign(desk, "approver", desk.temperature)
    assert (state(desk.temperature), is_ordered(desk.temperature)) == ("approved", True)
    made = standing.signatures(Recommendation.objects.get(pk=desk.temperature.pk))
    assert [(one.printed_name, one.meaning) for one in made] == [
        ("Anna Meier", "Review"),
        ("Clara Rossi", "Approval"),
    ]


@pytest.mark.requirement("URS-SIG-006")
def test_who_put_the_model_in_force_neither_approves_nor_rejects_its_advice(unchanged):
    assert desk_author(unchanged) == "chief"
    with pytest.raises(TransitionRefused, match="its author may not sign it"):
        sign(unchanged, "chief", unchanged.feed)
    with pytest.raises(TransitionRefused, match="its author may not sign it"):
        reject(unchanged, "chief", unchanged.feed)


def desk_author(desk) -> str:
    return desk.feed.author.username


@pytest.mark.requirement("URS-SIG-011")
@pytest.mark.parametrize("who", ["engineer", "validator", "auditor", "administrator", "operator"])
@pytest.mark.parametrize("act", [sign, reject])
def test_who_has_no_role_of_quality_assurance_decides_nothing(unchanged, who, act):
    with pytest.raises(audit.NotEntitled):
        act(unchanged, who, unchanged.feed)


@pytest.mark.requirement("URS-SIG-003")
@pytest.mark.requirement("URS-REC-004")
@pytest.mark.parametrize("act", [sign, reject])
def test_a_view_that_changed_since_it_was_read_is_refused(unchanged, act):
    shown = audit.view_digest(standing.view(unchanged.feed))
    asked = recommendations.ask(
        unchanged.feed.pk, asker=unchanged.site.user("approver"), question="Why?"
    )
    recommendations.answer(asked.pk, person=unchanged.site.user("engineer"), words="It pays.")
    with pytest.raises(audit.ViewChanged, match="has changed since"):
        act(unchanged, "reviewer", unchanged.feed, shown=shown)


@pytest.mark.requirement("URS-REC-004")
def test_advice_whose_evidence_is_gone_cannot_be_signed(unchanged, monkeypatch):
    """The view holds the evidence by its digest: without the one there is no other."""
    found = Recommendation.objects.get(pk=unchanged.feed.pk)
    shown = audit.view_digest(standing.view(found))
    whole = standing.evidence(found)
    cut = {key: value for key, value in whole.items() if key != "effects"}
    monkeypatch.setattr(standing, "evidence", lambda _: cut)
    with pytest.raises(audit.ViewChanged):
        sign(unchanged, "reviewer", unchanged.feed, shown=shown)


@pytest.mark.requirement("URS-REC-006")
def test_an_open_question_stops_signing_and_its_answer_frees_it(desk):
    asked = recommendations.ask(desk.feed.pk, asker=desk.site.user("reviewer"), question="Why?")
    with pytest.raises(TransitionRefused, match=r"1 question\(s\) wait for an answer"):
        sign(desk, "approver", desk.feed)
    recommendations.answer(asked.pk, person=desk.site.user("engineer"), words="It pays.")
    with pytest.raises(TransitionRefused, match="answered already"):
        recommendations.answer(asked.pk, person=desk.site.user("engineer"), words="Again.")
    assert sign(desk, "approver", desk.feed).state == "approved"
    with pytest.raises(TransitionRefused, match="nothing left to ask"):
        recommendations.ask(desk.feed.pk, asker=desk.site.user("reviewer"), question="And now?")


@pytest.mark.requirement("URS-REC-006")
def test_a_question_or_an_answer_without_words_is_refused(unchanged):
    reviewer, engineer = unchanged.site.user("reviewer"), unchanged.site.user("engineer")
    with pytest.raises(TransitionRefused, match="write the question"):
        recommendations.ask(unchanged.feed.pk, asker=reviewer, question="  ")
    asked = recommendations.ask(unchanged.feed.pk, asker=reviewer, question="Why?")
    with pytest.raises(TransitionRefused, match="write the answer"):
        recommendations.answer(asked.pk, person=engineer, words=" ")


@pytest.mark.requirement("URS-SIG-002")
def test_a_proof_serves_one_signature_and_only_its_own_person(desk):
    reviewer = desk.site.user("reviewer")
    proof = factories.proved(reviewer)
    sign(desk, "reviewer", desk.feed, proof=proof)
    with pytest.raises(audit.SignatureRefused, match="another signature"):
        sign(desk, "reviewer", desk.temperature, proof=proof)
    with pytest.raises(audit.SignatureRefused):
        sign(desk, "approver", desk.temperature, proof=factories.proved(reviewer))
    assert state(desk.temperature) == "proposed"
    assert standing.signatures(desk.temperature) == []


@pytest.mark.requirement("URS-WBK-001")
@pytest.mark.parametrize("level", ["monitor", "advise"])
def test_lowered_trust_stops_signing_what_would_be_written(unchanged, level):
    trust.lower_trust(
        unchanged.batch.equipment, level, actor=unchanged.site.user("reviewer"), reason="drift"
    )
    with pytest.raises(TransitionRefused, match="trust level does not allow it"):
        sign(unchanged, "approver", unchanged.feed)


def suspend_model(desk) -> None:
    reviewer = desk.site.user("reviewer")
    version = desk.feed.forecast.estimate.model_version
    testing.signed(version, "suspend", reviewer, factories.proved(reviewer))


def close_batch(desk) -> None:
    batches.close(desk.batch, actor=desk.site.user("engineer"), reason="harvested")


def let_time_pass(desk) -> None:
    factories.results(desk.batch, ("glucose",), 181.0, 183.0)


@pytest.mark.requirement("URS-REC-003")
@pytest.mark.requirement("URS-REC-005")
@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (suspend_model, "its model version is not in force any more"),
        (close_batch, "its batch is not running any more"),
        (let_time_pass, "it expired at 180.00 h of process time"),
    ],
)
def test_what_does_not_stand_any_more_cannot_be_signed(unchanged, happened, reason):
    happened(unchanged)
    with pytest.raises(TransitionRefused, match=reason):
        sign(unchanged, "reviewer", unchanged.feed)


@pytest.mark.requirement("URS-WBK-009")
def test_a_changed_configuration_file_stops_signing(unchanged, settings, tmp_path):
    settings.BASE_DIR = tmp_path  # nothing that was signed is there
    with pytest.raises(TransitionRefused, match="configuration file is not the signed one"):
        sign(unchanged, "reviewer", unchanged.feed)


@pytest.mark.requirement("URS-REC-005")
def test_advice_is_fresh_up_to_its_last_moment_and_not_beyond(desk):
    factories.results(desk.batch, ("glucose",), 179.0, 180.0)
    assert recommendations.expire_stale() == 0
    assert sign(desk, "reviewer", desk.feed).state == "approved"
    factories.results(desk.batch, ("lactate",), 179.0, 180.000001)
    assert recommendations.expire_stale() == 2  # its write had not happened either
    assert (state(desk.feed), state(desk.temperature)) == ("expired", "expired")


@pytest.mark.requirement("URS-REC-005")
def test_what_is_stale_expires_once_with_the_reason_on_record(desk):
    let_time_pass(desk)
    assert recommendations.expire_stale() == 2
    assert recommendations.expire_stale() == 0
    told = audit.Record.objects.filter(kind="twin_core.recommendation.expired")
    reasons = {audit.content(one)["reason"] for one in told}
    assert all("expired at 180.00 h" in reason for reason in reasons) and told.count() == 2
    with pytest.raises(TransitionRefused, match="expired"):
        sign(desk, "reviewer", desk.feed)


@pytest.mark.requirement("URS-REC-005")
def test_advice_of_a_closed_batch_expires_and_a_signed_harvest_stands(desk):
    newest = factories.forecast(desk.site, desk.recorded, at_h=143.0)
    harvest = factories.recommendation(desk.site, newest, tag="harvest")
    sign(desk, "reviewer", harvest)
    sign(desk, "approver", harvest)
    close_batch(desk)
    batches.close(desk.recorded, actor=desk.site.user("engineer"), reason="harvested")
    assert recommendations.expire_stale() == 2
    assert state(harvest) == "approved"
    told = audit.Record.objects.filter(kind="twin_core.recommendation.expired").latest("id")
    assert audit.content(told)["reason"] == "its batch has ended"


@pytest.mark.requirement("URS-REC-006")
def test_a_rejection_is_signed_with_its_coded_reason_and_final(desk):
    found = reject(desk, "reviewer", desk.feed, code="other", reason="valve is being repaired")
    assert (state(found), is_ordered(found)) == ("rejected", False)
    told = audit.content(found.record)
    assert (told["data"]["code"], told["reason"]) == (
        "other",
        "Another reason, given in words: valve is being repaired",
    )
    assert [made.meaning for made in audit.signatures_of(found.record)] == ["Rejection"]
    with pytest.raises(TransitionRefused, match="rejected"):
        sign(desk, "approver", desk.feed)


@pytest.mark.requirement("URS-REC-006")
@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        ("", "because", "choose one of"),
        ("whim", "because", "'whim' is no reason"),
        ("other", "  ", "in words"),
    ],
)
def test_a_rejection_without_a_coded_reason_is_refused(unchanged, code, reason, said):
    with pytest.raises(TransitionRefused, match=said):
        reject(unchanged, "reviewer", unchanged.feed, code=code, reason=reason)


@pytest.mark.requirement("URS-REC-007")
def test_two_decisions_at_one_moment_give_one_decision_and_one_clear_refusal(desk):
    found = Recommendation.objects.get(pk=desk.feed.pk)
    shown, start = audit.view_digest(standing.view(found)), Barrier(2)
    proofs = {who: factories.proved(desk.site.user(who)) for who in ("reviewer", "approver")}

    def decide(who: str, act) -> str:
        try:
            start.wait(timeout=30)
            act(desk, who, found, shown=shown, proof=proofs[who])
        except audit.ViewChanged as refused:
            return refused.reason
        finally:
            connections["default"].close()
        return "decided"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(decide, "reviewer", sign)
        second = pool.submit(decide, "approver", reject)
    assert {first.result(), second.result()} == {
        "decided",
        "what you were shown has changed since",
    }
    assert state(found) == ("approved" if first.result() == "decided" else "rejected")
    assert is_ordered(found) == (first.result() == "decided")


ELSEWHERE = ["confirmed", "deviation", "unknown", "written"]  # no way leads there from proposed


@pytest.mark.requirement("URS-REC-003")
@pytest.mark.parametrize("target", ELSEWHERE)
def test_the_database_refuses_a_move_outside_the_table_even_with_its_record(unchanged, target):
    found = Recommendation.objects.get(pk=unchanged.feed.pk)
    with pytest.raises(DatabaseError, match=f"cannot go from proposed to {target}"):
        rewritten(found, state=target)


@pytest.mark.requirement("URS-REC-003")
@pytest.mark.parametrize("begin", ["approved", "confirmed", "written"])
def test_the_database_refuses_a_recommendation_that_begins_decided(unchanged, begin):
    found = Recommendation.objects.get(pk=unchanged.feed.pk)
    found.pk, found.state, found._state.adding = audit.uuid7(), begin, True
    with pytest.raises(DatabaseError, match=f"does not begin as {begin}"), transaction.atomic():
        record = audit.append(
            stream="batch/x", kind="twin_core.probe", subject=found, new=found.state_fields()
        )
        found.save(record=record)


@pytest.mark.requirement("URS-REC-003")
@pytest.mark.requirement("URS-AUD-003")
@pytest.mark.parametrize(
    "change",
    ["state = 'approved'", "state = 'confirmed'", "value = '15'", "is_high_impact = false"],
)
def test_raw_sql_without_a_record_changes_no_recommendation(unchanged, change):
    table = Recommendation._meta.db_table
    before = Recommendation.objects.get(pk=unchanged.temperature.pk).state_fields()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {change} WHERE id = %s", [unchanged.temperature.pk])
    assert Recommendation.objects.get(pk=unchanged.temperature.pk).state_fields() == before


@pytest.mark.requirement("URS-AUD-003")
def test_a_row_that_differs_from_the_record_it_cites_is_refused(unchanged):
    found = Recommendation.objects.get(pk=unchanged.feed.pk)
    with pytest.raises(DatabaseError, match="is not what"), transaction.atomic():
        before = found.state_fields()
        record = audit.append(
            stream="batch/x",
            kind="twin_core.recommendation.approved",
            subject=found,
            old=before,
            new={**before, "state": "approved"},
        )
        found.state, found.value = "approved", "14.9"
        found.save(record=record)


@pytest.mark.requirement("URS-AUD-003")
def test_a_record_of_an_earlier_transaction_does_not_carry_a_row(unchanged):
    found = Recommendation.objects.get(pk=unchanged.feed.pk)
    with pytest.raises(DatabaseError), transaction.atomic():
        found.save(record=found.record)


def rewritten(found: Recommendation, **changes: str) -> None:
    """Change a row with an honest record of the change, as no service does."""
    with transaction.atomic():
        before = found.state_fields()
        for name, value in changes.items():
            setattr(found, name, value)
        record = audit.append(
            stream="batch/x",
            kind="twin_core.probe",
            subject=found,
            old=before,
            new=found.state_fields(),
        )
        found.save(record=record)
