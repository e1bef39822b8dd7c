"""A signature: proved anew, once, on what was shown, by somebody who may."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from audit import ledger, signatures
from audit.models import Credential, Record, Role, Signature
from audit.refusals import NotEntitled
from audit.signatures import SignatureRefused, ViewChanged
from tests.audit.people import NOON, STEP, Person, enter

pytestmark = pytest.mark.usefixtures("ledger_db")
VIEW = {"recommendation": "R-1", "feed": {"unit": "L/h", "value": "0.12"}}


@pytest.fixture
def quinn(ledger_db) -> Person:
    return enter("quinn", Role.QA_REVIEWER)


def act(**facts) -> Record:
    return ledger.append(stream="batch/B-1", kind="test.thing.approved", **facts)


def sign_act(person: Person, proof, now=NOON, **options) -> Signature:
    options = {"meaning": "approval", "reason": "evidence is complete", "view": VIEW, **options}
    with transaction.atomic():
        return signatures.sign(
            act(actor=person.user), signer=person.user, proof=proof, now=now, **options
        )


def kinds(stream: str) -> list[str]:
    return list(Record.objects.filter(stream=stream).order_by("id").values_list("kind", flat=True))


def last(kind: str) -> dict:
    return ledger.content(Record.objects.filter(kind=kind).latest("id"))


@pytest.mark.requirement("URS-SIG-001")
@pytest.mark.requirement("URS-SIG-004")
def test_both_components_sign_and_the_signature_shows_who_when_and_what_for(quinn):
    signature = sign_act(quinn, quinn.prove(), roles=[Role.QA_REVIEWER])
    (shown,) = signatures.signatures_of(signature.signed)
    assert shown.is_valid, shown.flaw
    assert (shown.printed_name, shown.meaning) == ("Quinn Example", "Approval")
    assert shown.roles == ("QA reviewer",)
    assert shown.signed_at == NOON
    assert shown.signed_at_site == "2026-03-02T13:00:10+01:00"
    assert shown.view == signatures.view_digest(VIEW)
    assert ledger.get_blob(shown.view) == ledger.canonical.encode(VIEW)
    made = ledger.content(signature.record)
    assert made["parents"] == [signature.signed.leaf.hex(), signature.proof.leaf.hex()]


@pytest.mark.requirement("URS-SIG-001")
@pytest.mark.requirement("URS-SIG-007")
@pytest.mark.parametrize(
    ("given", "failed"),
    [
        ({"password": "quiet harbour at dawn"}, ["password"]),
        ({"code": "000000"}, ["code"]),
        ({"password": ""}, ["password"]),
        ({"code": ""}, ["code"]),
    ],
)
def test_a_wrong_or_missing_component_is_refused_and_recorded(quinn, given, failed):
    with pytest.raises(SignatureRefused, match="not accepted"):
        quinn.prove(**given)
    refusal = last("audit.proof.refused")
    assert refusal["data"]["failed"] == failed
    assert refusal["actor"]["id"] == str(quinn.user.pk)
    assert quinn.password not in str(refusal)
    assert quinn.code(NOON) not in str(refusal)


@pytest.mark.requirement("URS-SIG-002")
def test_a_code_is_accepted_once_and_the_refusal_says_when_the_next_one_is(quinn):
    code = quinn.code(NOON)
    quinn.prove()
    with pytest.raises(SignatureRefused, match="used before") as refusal:
        quinn.prove(NOON + timedelta(seconds=5), code=code)
    assert refusal.value.next_code_at == NOON.replace(second=30)
    assert signatures.next_code_at(quinn.user, NOON) == NOON.replace(second=30)
    quinn.prove(NOON + STEP)  # the next code is good


@pytest.mark.requirement("URS-SIG-002")
def test_a_code_of_an_earlier_step_is_refused_after_a_later_one(quinn):
    earlier = quinn.code(NOON - STEP)
    quinn.prove()
    with pytest.raises(SignatureRefused):
        quinn.prove(code=earlier)


@pytest.mark.requirement("URS-SIG-002")
@pytest.mark.parametrize("steps", [-2, 2])
def test_a_code_outside_the_window_is_refused(quinn, steps):
    with pytest.raises(SignatureRefused):
        quinn.prove(code=quinn.code(NOON + steps * STEP))


@pytest.mark.requirement("URS-SIG-002")
def test_a_refused_attempt_does_not_give_the_code_back(quinn):
    with pytest.raises(SignatureRefused):
        quinn.prove(password="quiet harbour at dawn")
    with pytest.raises(SignatureRefused, match="used before"):
        quinn.prove()


@pytest.mark.requirement("URS-SIG-002")
def test_an_act_that_is_rolled_back_leaves_the_code_used(quinn):
    proof = quinn.prove()
    with pytest.raises(ViewChanged), transaction.atomic():
        act(actor=quinn.user)
        signatures.require_view({**VIEW, "feed": "moved"}, signatures.view_digest(VIEW))
    assert kinds("batch/B-1") == []
    assert Signature.objects.count() == 0
    with pytest.raises(SignatureRefused, match="used before"):
        quinn.prove()
    assert proof.record_id == Record.objects.get(kind="audit.proof.accepted").pk


def test_proving_inside_a_transaction_is_an_error_of_the_caller(quinn):
    with transaction.atomic(), pytest.raises(RuntimeError, match="before the act"):
        quinn.prove()


def test_signing_outside_a_transaction_is_an_error_of_the_caller(quinn):
    proof = quinn.prove()
    with pytest.raises(RuntimeError, match="transaction of the act"):
        signatures.sign(
            act(), signer=quinn.user, proof=proof, meaning="approval", reason="why", view=VIEW
        )


@pytest.mark.requirement("URS-SIG-003")
def test_a_view_that_changed_is_refused(quinn):
    shown = signatures.view_digest(VIEW)
    signatures.require_view(dict(reversed(VIEW.items())), shown)
    with pytest.raises(ViewChanged, match="has changed") as refusal:
        signatures.require_view({**VIEW, "recommendation": "R-2"}, shown)
    assert refusal.value.status == 409
    assert "again" in refusal.value.what_to_do


@pytest.mark.requirement("URS-SIG-002")
def test_a_proof_serves_one_signature(quinn):
    proof = quinn.prove()
    sign_act(quinn, proof)
    with pytest.raises(SignatureRefused, match="another signature"):
        sign_act(quinn, proof)
    assert Signature.objects.count() == 1


def test_the_database_itself_takes_a_proof_once(quinn, monkeypatch):
    proof = quinn.prove()
    first = sign_act(quinn, proof)
    monkeypatch.setattr(signatures, "_checked_proof", lambda *_, **__: first.proof)
    with pytest.raises(SignatureRefused, match="another signature"):
        sign_act(quinn, proof)


def test_a_proof_grows_old(quinn):
    with pytest.raises(SignatureRefused, match="older than 2 minutes"):
        sign_act(quinn, quinn.prove(), now=NOON + timedelta(minutes=2, seconds=1))


def test_a_proof_of_another_person_is_refused(quinn):
    amara = enter("amara", Role.QA_APPROVER)
    with pytest.raises(SignatureRefused, match="another person's"):
        sign_act(quinn, amara.prove())


def test_an_invented_proof_is_refused(quinn):
    record = act()
    invented = signatures.SigningProof(quinn.user.pk, record.pk, bytes(record.leaf), NOON)
    with pytest.raises(SignatureRefused, match="not on record"):
        sign_act(quinn, invented)


def test_a_proof_given_for_another_purpose_does_not_sign(quinn):
    with pytest.raises(SignatureRefused, match="not given for signing"):
        sign_act(quinn, quinn.prove(purpose="account"))


@pytest.mark.requirement("URS-SIG-006")
def test_an_author_does_not_sign(quinn):
    with pytest.raises(NotEntitled, match="had a part in this"):
        sign_act(quinn, quinn.prove(), authors=[None, quinn.user])
    with pytest.raises(NotEntitled, match="had a part in this"):
        sign_act(quinn, quinn.prove(NOON + STEP), authors=[str(quinn.user.pk)], now=NOON + STEP)


@pytest.mark.requirement("URS-SIG-011")
def test_a_role_that_does_not_permit_the_act_does_not_sign(quinn):
    with pytest.raises(NotEntitled, match="for a qa approver"):
        sign_act(quinn, quinn.prove(), roles=[Role.QA_APPROVER])


def test_a_person_without_any_role_does_not_sign(ledger_db):
    nobody = enter("nobody")
    with pytest.raises(NotEntitled, match="no role"):
        sign_act(nobody, nobody.prove())


@pytest.mark.requirement("URS-SIG-004")
@pytest.mark.parametrize("words", [{"meaning": ""}, {"meaning": "fun"}, {"reason": "  "}])
def test_a_signature_without_meaning_or_reason_is_refused(quinn, words):
    with pytest.raises(SignatureRefused):
        sign_act(quinn, quinn.prove(), **words)


@pytest.mark.requirement("URS-SIG-004")
def test_a_later_change_of_name_leaves_the_printed_name_of_the_time(quinn):
    from audit import identity
    from audit.actors import os_user_actor

    signature = sign_act(quinn, quinn.prove())
    identity.change_person(
        quinn.user, printed_name="Quinn Married", by=os_user_actor(), reason="marriage"
    )
    (shown,) = signatures.signatures_of(signature.signed)
    assert shown.printed_name == "Quinn Example"
    assert shown.is_valid


@pytest.mark.requirement("URS-SIG-005")
@pytest.mark.parametrize("column", ["manifest", "meaning", "signed_id"])
def test_a_signature_altered_behind_the_triggers_shows_as_invalid(quinn, as_role, column):
    signature = sign_act(quinn, quinn.prove())
    other = act()
    values = {
        "manifest": signature.manifest.replace("complete", "splendid"),
        "meaning": "review",
        "signed_id": other.pk,
    }
    with as_role("superuser") as superuser:
        superuser.execute("ALTER TABLE audit_signature DISABLE TRIGGER ALL")
        superuser.execute(f"UPDATE audit_signature SET {column} = %s", [values[column]])
    target = other if column == "signed_id" else signature.signed
    (shown,) = signatures.signatures_of(target)
    assert not shown.is_valid
    assert shown.flaw


@pytest.mark.requirement("URS-SIG-005")
def test_a_signed_record_that_was_altered_shows_its_signature_as_invalid(quinn, as_role):
    signature = sign_act(quinn, quinn.prove())
    with as_role("superuser") as superuser:
        partition = superuser.execute(
            "SELECT tableoid::regclass::text FROM audit_record WHERE id = %s", [signature.signed_id]
        ).fetchone()[0]
        superuser.execute(f"ALTER TABLE {partition} DISABLE TRIGGER ALL")
        superuser.execute(
            f"UPDATE {partition} SET payload = replace(payload, 'batch/B-1', 'batch/B-2'), "
            "stream = 'batch/B-2' WHERE id = %s",
            [signature.signed_id],
        )
    (shown,) = signatures.signatures_of(Record.objects.get(pk=signature.signed_id))
    assert shown.flaw == "the record is not the one that was signed"


@pytest.mark.requirement("URS-SIG-008")
def test_five_failures_make_the_right_components_wait_too(quinn):
    for _ in range(5):
        with pytest.raises(SignatureRefused, match="not accepted"):
            quinn.prove(code="000000")
    with pytest.raises(SignatureRefused, match="too many failed") as refusal:
        quinn.prove(NOON + timedelta(seconds=29))
    assert refusal.value.next_code_at == NOON + timedelta(seconds=30)
    quinn.prove(NOON + timedelta(seconds=31))
    assert kinds(f"person/{quinn.user.pk}")[-2:] == ["audit.proof.locked", "audit.proof.accepted"]


@pytest.mark.requirement("URS-SIG-008")
def test_attempts_during_the_wait_do_not_lengthen_it(quinn):
    for _ in range(5):
        with pytest.raises(SignatureRefused):
            quinn.prove(code="000000")
    for second in range(1, 30, 3):
        with pytest.raises(SignatureRefused, match="too many"):
            quinn.prove(NOON + timedelta(seconds=second), code="000000")
    quinn.prove(NOON + timedelta(seconds=31))


@pytest.mark.requirement("URS-SIG-012")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_credential SET secret = secret || 'x'",
        "UPDATE audit_credential SET last_step = NULL",
        "UPDATE audit_credential SET is_active = false",
        "DELETE FROM audit_credential",
    ],
)
def test_the_database_refuses_a_credential_changed_by_raw_sql(quinn, statement):
    quinn.prove()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.requirement("URS-SIG-002")
def test_the_database_refuses_a_time_step_that_goes_back_even_with_its_record(quinn):
    quinn.prove()
    row = Credential.objects.get(user=quinn.user, kind="code", is_active=True)
    old = row.state_fields()
    row.last_step -= 1
    with pytest.raises(IntegrityError, match="never goes back"), transaction.atomic():
        told = ledger.append(
            stream="people", kind="x.y", subject=row, old=old, new=row.state_fields()
        )
        row.save(record=told)


@pytest.mark.requirement("URS-SIG-012")
def test_no_secret_stands_in_the_ledger_or_in_clear_in_its_table(quinn):
    quinn.prove()
    everything = " ".join(Record.objects.values_list("payload", flat=True))
    stored = " ".join(Credential.objects.values_list("secret", flat=True))
    assert quinn.secret not in everything + stored
    assert quinn.password not in everything + stored
    assert "$argon2" not in everything
    assert "v1." in stored
