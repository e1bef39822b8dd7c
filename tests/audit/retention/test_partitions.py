"""A month turns while the ledger runs; a month that is missing is told before it is needed."""

from datetime import UTC, datetime

import psycopg
import pytest
from django.db import OperationalError

from audit import ledger
from audit.models import Record
from audit.retention import partitions
from tests.audit.retention.old_months import key_at, payload

pytestmark = pytest.mark.requirement("URS-AUD-060")


def test_the_present_and_the_coming_months_have_a_place(ledger_db):
    assert partitions.missing() == []
    assert partitions.wanted(datetime(2026, 12, 31, 23, tzinfo=UTC)) == ["2026-12", "2027-01"]


def test_records_before_and_after_midnight_lie_in_their_months_and_are_sealed(ledger, as_role):
    owner = as_role("owner")
    owner.execute("SELECT ledger_make_months('2031-12-01', 1)")
    for number, moment in enumerate(
        (datetime(2031, 12, 31, 23, 59, 59, 999_000, UTC), datetime(2032, 1, 1, tzinfo=UTC))
    ):
        owner.execute(
            "INSERT INTO audit_record (id, stream, kind, payload) VALUES (%s, 'a', %s, %s)",
            [key_at(moment, number), "test.fact.noted", payload("a", number)],
        )
    owner.commit()
    places = owner.execute(
        "SELECT tableoid::regclass::text, payload::jsonb ->> 'reason' FROM audit_record "
        "WHERE stream = 'a' ORDER BY id"
    ).fetchall()
    assert places == [("audit_record_203112", "old fact 0"), ("audit_record_203201", "old fact 1")]
    assert ledger.seal() >= 2
    assert ledger.verify().ok


def test_a_month_made_by_the_running_ledger_has_every_guard(ledger_db, as_role):
    as_role("owner").execute("SELECT ledger_make_months('2040-02-01', 0)").connection.commit()
    superuser = as_role("superuser")
    rows = superuser.execute(
        "SELECT tgname, tgenabled::text FROM pg_trigger "
        "WHERE tgrelid = 'audit_record_204002'::regclass AND NOT tgisinternal ORDER BY 1"
    ).fetchall()
    assert ("audit_record_keep", "A") in rows and ("audit_record_keep_all", "A") in rows
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="TRUNCATE"):
        superuser.execute("TRUNCATE audit_record_204002")


def test_a_coming_month_that_cannot_be_made_is_an_alarm_on_record(ledger_db):
    def hindered(ahead: int) -> None:
        raise OperationalError("no space left on device")

    at = datetime(2033, 6, 30, 12, tzinfo=UTC)
    assert partitions.keep_ahead(at, make=hindered) == ["2033-06", "2033-07"]
    told = ledger.content(Record.objects.get(kind="audit.partition.missing"))
    assert told["data"] == {"months": ["2033-06", "2033-07"]}
    assert "no space left" in told["reason"]


def test_where_all_is_in_place_no_alarm_is_raised(ledger):
    with ledger.as_sealer():
        assert partitions.keep_ahead() == []
    assert not Record.objects.filter(kind="audit.partition.missing").exists()
