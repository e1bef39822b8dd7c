"""An act under a key is done once, however often it is asked for."""

import threading

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from audit import api
from audit.models import ActKey, Record
from audit.outcomes import once as acts

pytestmark = pytest.mark.requirement("URS-AUD-067")
ASKED = {"note": "glucose is low"}


def note() -> Record:
    return api.append(stream="test", kind="test.fact.noted", data=ASKED)


def test_the_second_request_gets_the_first_ones_record(ledger_db):
    key = api.uuid7()
    first, again = acts.until_known(key, ASKED, note), acts.until_known(key, ASKED, note)
    assert first[0].pk == again[0].pk
    assert (first[1], again[1]) == (False, True)
    assert Record.objects.filter(stream="test").count() == 1


def test_a_key_asked_for_with_other_content_is_refused(ledger_db):
    key = api.uuid7()
    acts.until_known(key, ASKED, note)
    with pytest.raises(acts.KeyConflict, match="another act"):
        acts.until_known(key, {"note": "other"}, note)
    assert Record.objects.filter(stream="test").count() == 1


def test_two_requests_at_once_leave_one_record(ledger_db):
    key, found = api.uuid7(), []
    both_began = threading.Barrier(2, timeout=10)

    def slow() -> Record:
        record = note()
        both_began.wait()
        return record

    def ask() -> None:
        try:
            found.append(acts.once(key, ASKED, slow))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(replayed for _, replayed in found) == [False, True]
    assert len({record.pk for record, _ in found}) == 1
    assert Record.objects.filter(stream="test").count() == 1


def test_an_act_that_breaks_another_rule_is_no_replay(ledger_db):
    def broken() -> Record:
        note()
        raise IntegrityError("another rule")

    with pytest.raises(IntegrityError, match="another rule"):
        acts.once(api.uuid7(), ASKED, broken)
    assert not Record.objects.exists() and not ActKey.objects.exists()


def test_a_store_that_stays_away_is_an_unknown_outcome_never_a_done_one(ledger_db):
    pauses: list[float] = []

    def away() -> Record:
        raise OperationalError("server closed the connection")

    with pytest.raises(acts.OutcomeUnknown, match="5 attempts"):
        acts.until_known(api.uuid7(), ASKED, away, pause=pauses.append)
    assert len(pauses) == 4 and pauses == sorted(pauses)


def test_trying_again_inside_a_transaction_is_an_error(ledger_db):
    with transaction.atomic(), pytest.raises(RuntimeError, match="outside any transaction"):
        acts.until_known(api.uuid7(), ASKED, note)


@pytest.mark.parametrize(
    "change", ["UPDATE audit_actkey SET digest = ''", "DELETE FROM audit_actkey"]
)
def test_a_key_stays_with_its_act(ledger_db, as_role, change):
    acts.until_known(api.uuid7(), ASKED, note)
    with pytest.raises(Exception, match="is refused"):
        as_role("superuser").execute(change)
