"""Many requests at the same moment share neither a code, nor a proof, nor a free attempt."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction

from audit import ledger, signatures
from audit.models import Record, Role, Signature
from audit.signatures import SignatureRefused
from tests.audit.people import NOON, Person, enter

pytestmark = pytest.mark.usefixtures("ledger_db")
AT_ONCE = 6


@pytest.fixture
def quinn(ledger_db) -> Person:
    return enter("quinn", Role.QA_REVIEWER)


def at_once(act: Any) -> list[Any]:
    """Call ``act`` from several threads, released together; return results and refusals."""
    together = Barrier(AT_ONCE)

    def one(_: int) -> Any:
        try:
            together.wait(timeout=30)
            return act()
        except SignatureRefused as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(one, range(AT_ONCE)))


@pytest.mark.requirement("URS-SIG-002")
def test_one_of_many_requests_gets_the_code(quinn):
    results = at_once(quinn.prove)
    assert sum(isinstance(result, signatures.SigningProof) for result in results) == 1
    assert Record.objects.filter(kind="audit.proof.accepted").count() == 1
    refused = Record.objects.filter(kind__in=("audit.proof.refused", "audit.proof.locked"))
    assert refused.count() == AT_ONCE - 1


@pytest.mark.requirement("URS-SIG-002")
def test_one_of_many_acts_gets_the_proof(quinn):
    proof = quinn.prove()

    def act() -> Signature:
        with transaction.atomic():
            record = ledger.append(stream="batch/B-1", kind="test.thing.approved")
            return signatures.sign(
                record,
                signer=quinn.user,
                proof=proof,
                meaning="approval",
                reason="complete",
                view={"shown": "this"},
                now=NOON,
            )

    results = at_once(act)
    assert sum(isinstance(result, Signature) for result in results) == 1
    assert Record.objects.filter(kind="test.thing.approved").count() == 1


@pytest.mark.requirement("URS-SIG-008")
def test_guesses_at_the_same_moment_are_counted_one_by_one(quinn):
    at_once(lambda: quinn.prove(code="000000"))
    assert Record.objects.filter(kind="audit.proof.refused").count() == 5
    assert Record.objects.filter(kind="audit.proof.locked").count() == AT_ONCE - 5
