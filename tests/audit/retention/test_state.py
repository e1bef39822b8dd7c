"""State recreated where months were dropped: with their bundles wholly, else as far as told."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from audit import api, canonical, state
from audit.models import LegalHold
from audit.retention.reading import ArchiveWrong
from tests.audit.retention.old_months import key_at, payload

pytestmark = pytest.mark.requirement("URS-AUD-065")
MONTH = "2014-06"


def held_long_ago(decades, number: int) -> LegalHold:
    """Write a row whose record lies in an old month, on a stream that is not kept for ever."""
    owner = decades.as_role("owner")
    owner.execute("SELECT ledger_make_months('2014-06-01', 0)")
    hold = LegalHold(scope="stream", value=f"batch/B-{number}", matter="long ago")
    key = key_at(datetime(2014, 6, 5, tzinfo=UTC), number)
    change = {"subject": hold.subject(), "old": None, "new": hold.state_fields()}
    changes = [canonical.decode(canonical.encode(change))]
    owner.execute(
        "INSERT INTO audit_record (id, stream, kind, payload) VALUES (%s, 'old', %s, %s)",
        [key, "audit.hold.set", payload("old", 0, kind="audit.hold.set", changes=changes)],
    )
    owner.execute(
        "INSERT INTO audit_legalhold (id, scope, value, matter, is_active, record_id) "
        "VALUES (%s, %s, %s, %s, true, %s)",
        [hold.pk, hold.scope, hold.value, hold.matter, key],
    )
    owner.commit()
    return LegalHold.objects.get(pk=hold.pk)


def release(hold: LegalHold) -> None:
    with transaction.atomic():
        before, hold.is_active = hold.state_fields(), False
        record = api.append(
            stream="ledger",
            kind="audit.hold.released",
            subject=hold,
            old=before,
            new=hold.state_fields(),
        )
        hold.save(record=record)


@pytest.fixture
def dropped(decades):
    """Two rows of a dropped month, the second changed since."""
    held_long_ago(decades, 0)
    release(held_long_ago(decades, 1))
    decades.ledger.seal()
    decades.lived("2014-07-05")
    decades.dropped(MONTH)
    return decades


def altered(decades, value: str, number: int) -> None:
    superuser = decades.as_role("superuser")
    superuser.execute("ALTER TABLE audit_legalhold DISABLE TRIGGER ALL")
    superuser.execute(
        "UPDATE audit_legalhold SET matter = %s WHERE value = %s", [value, f"batch/B-{number}"]
    )
    superuser.commit()


def test_a_row_of_a_dropped_month_is_counted_and_one_told_since_is_compared(dropped):
    resting: list[tuple[str, str]] = []
    found = list(state.differences(resting=lambda table, key: resting.append((table, key))))
    assert found == []
    assert [table for table, _ in resting] == ["audit_legalhold"]
    output = StringIO()
    call_command("rebuild_state", stdout=output)
    assert "1 rows rest on dropped months" in output.getvalue()


def test_a_row_changed_since_the_drop_is_still_held_to_what_is_told(dropped):
    altered(dropped, "something else", 1)
    assert [found.in_table for found in state.differences()] == ["something else"]


def test_with_the_bundle_of_the_month_every_row_is_compared(dropped):
    altered(dropped, "something else", 0)  # not what the archive tells
    output = StringIO()
    with pytest.raises(CommandError, match="1 differences"):
        call_command("rebuild_state", archive=[dropped.to / MONTH], stdout=output)
    assert "'something else', the ledger 'long ago'" in output.getvalue()
    assert "rest on" not in output.getvalue()


def test_an_altered_bundle_tells_nothing(dropped):
    records = dropped.to / MONTH / "records.jsonl"
    records.write_bytes(records.read_bytes().replace(b"long ago", b"long aga"))
    with pytest.raises(ArchiveWrong, match="not the one that was dropped"):
        list(state.differences(archives=[dropped.to / MONTH]))


def test_nothing_but_a_drop_lets_a_history_begin_late():
    row = state.Row()
    row.take(b'{"a":1}', b'{"a":2}', "r")
    assert row.state == b"null" and row.waiting
    row.begin_late()
    assert row.state == b'{"a":2}' and not row.is_whole
