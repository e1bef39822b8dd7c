"""Order, gaps, races and refusals of the sealer."""

import threading

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import api, chain, sealer
from audit.ledger import unsealed_count
from audit.models import Block, Checkpoint, Record, Tile


def append(count: int = 1, **facts) -> list[Record]:
    with transaction.atomic():
        return [api.append(stream="test", kind="test.fact.noted", **facts) for _ in range(count)]


@pytest.mark.requirement("URS-AUD-005")
def test_committed_records_become_a_chained_block(ledger):
    records = append(3)
    assert ledger.seal() == 3
    append(2)
    assert ledger.seal() == 2
    first, second = (chain.Header.decode(b.header.encode()) for b in Block.objects.order_by("pk"))
    assert (first.count, second.count, second.first_sequence) == (3, 2, 3)
    assert second.previous == first.hash
    assert second.transaction_from == first.transaction_below
    assert [api.sequence_of(record) for record in records] == [0, 1, 2]
    assert ledger.verify().ok


@pytest.mark.requirement("URS-AUD-006")
def test_a_record_of_an_open_transaction_is_not_overtaken(ledger, as_role):
    slow = as_role("application")
    slow.execute(
        "INSERT INTO audit_record (stream, kind, payload) "
        """VALUES ('a', 'b', '{"kind":"b","stream":"a"}')"""
    )
    late = append()[0]
    assert ledger.seal() == 0  # the slow transaction began first and may still commit
    slow.commit()
    assert ledger.seal() == 2
    assert api.sequence_of(late) == 1


@pytest.mark.requirement("URS-AUD-006")
@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(acts=st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.booleans()), max_size=8))
def test_rollbacks_and_savepoints_leave_no_gap(ledger, acts):
    before = Record.objects.count()
    kept = 0
    for count, rolls_back, has_savepoint in acts:
        with transaction.atomic():
            append(count)
            if has_savepoint:
                with transaction.atomic():
                    append(1)
                    transaction.set_rollback(rolls_back)
            transaction.set_rollback(rolls_back and not has_savepoint)
        kept += 0 if rolls_back and not has_savepoint else count
        kept += 1 if has_savepoint and not rolls_back else 0
    assert ledger.seal() == kept
    assert ledger.verify().records == before + kept
    assert ledger.verify().ok


@pytest.mark.requirement("URS-AUD-006")
def test_many_writers_at_once_are_put_into_one_order(ledger):
    def write() -> None:
        for _ in range(25):
            append(2)
        connection.close()

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    sealed = 0
    with ledger.as_sealer():
        work = ledger.sealer()
    while any(writer.is_alive() for writer in writers):
        sealed += ledger.seal()
    for writer in writers:
        writer.join()
    sealed += ledger.seal()
    assert work.tree.size == 0
    assert sealed == 200
    result = ledger.verify()
    assert result.finding is None
    assert (result.records, result.unsealed) == (200, 0)


@pytest.mark.requirement("URS-AUD-005")
def test_the_tree_goes_on_where_a_stopped_sealer_left_it(ledger):
    for size in (1, 254, 2, 300, 700):
        append(size)
        ledger.seal()
    assert Tile.objects.count() == 0  # level 1 is full only at 65,536 records
    assert ledger.verify().ok


@pytest.mark.requirement("URS-AUD-005")
def test_only_one_sealer_holds_the_lock(ledger, services):
    with ledger.as_sealer():
        sealer.acquire()
        other = services.connect("sealer", ledger.name)
        (held,) = other.execute("SELECT pg_try_advisory_lock(%s)", [sealer.LOCK]).fetchone()
        other.close()
    assert held is False


@pytest.mark.requirement("URS-AUD-005")
def test_a_second_sealer_is_fenced_by_the_block_number(ledger):
    append()
    with ledger.as_sealer():
        first, second = ledger.sealer(), ledger.sealer()
        first.seal()
        with pytest.raises(Exception, match="audit_block"):
            second.seal()
    assert Block.objects.count() == 1


@pytest.mark.requirement("URS-AUD-007")
def test_each_checkpoint_is_kept_in_and_outside_the_database(ledger):
    append()
    ledger.seal()
    note = Checkpoint.objects.get().note
    assert ledger.outside.latest() == note
    assert ledger.outside.all() == [note]


@pytest.mark.requirement("URS-AUD-007")
def test_sealing_stops_when_records_that_were_signed_are_gone(ledger, as_role):
    append()
    ledger.seal()
    owner = as_role("superuser")
    owner.execute("ALTER TABLE audit_block DISABLE TRIGGER ALL")
    owner.execute("DELETE FROM audit_block")
    owner.commit()
    with pytest.raises(sealer.SealingRefused, match="the database has 0: 1 is missing"):
        ledger.seal()


@pytest.mark.requirement("URS-AUD-007")
def test_sealing_stops_on_another_cluster(ledger, monkeypatch):
    append()
    ledger.seal()
    monkeypatch.setattr(sealer, "cluster", lambda: ("7000000000000000000", 1))
    with pytest.raises(sealer.SealingRefused, match=r"another database cluster.*open_epoch"):
        ledger.seal()


@pytest.mark.requirement("URS-AUD-006")
def test_waiting_for_the_seal_inside_a_transaction_is_refused(db):
    with pytest.raises(RuntimeError, match="inside a transaction"):
        api.wait_for_seal(api.append(stream="a", kind="b.c.d"))


@pytest.mark.requirement("URS-AUD-006")
def test_waiting_for_the_seal_returns_the_sequence_or_says_who_is_missing(ledger):
    record = append()[0]
    with pytest.raises(TimeoutError, match="sealer"):
        api.wait_for_seal(record, timeout=0.1)
    ledger.seal()
    assert api.wait_for_seal(record, timeout=0.1) == 0


def test_the_largest_block_ends_with_a_whole_transaction(ledger, monkeypatch):
    monkeypatch.setattr(sealer, "MOST", 5)
    append(4)
    append(4)
    assert ledger.seal() == 4
    assert ledger.seal() == 4
    assert ledger_is_whole(ledger)


def ledger_is_whole(kept) -> bool:
    result = kept.verify()
    return result.ok and result.records == Record.objects.count() and not unsealed_count()


@pytest.mark.requirement("URS-AUD-006")
def test_transactions_are_ordered_as_numbers_not_as_text(ledger, as_role):
    """999 comes before 1000, which as text it does not."""
    spender = as_role("application")
    (now,) = spender.execute("SELECT pg_current_xact_id()::text").fetchone()
    spender.commit()
    turn = 10 ** len(now)  # the next transaction id with one digit more
    owner = as_role("superuser")
    for number in (turn + 1, turn - 1, turn):
        payload = api.encode({"kind": "b", "stream": "a", "reason": str(number)}).decode()
        owner.execute(
            "INSERT INTO audit_record (stream, kind, payload, transaction) "
            "VALUES ('a', 'b', %s, %s::text::xid8)",
            [payload, str(number)],
        )
    owner.commit()
    with ledger.as_sealer():
        rows = sealer.rows_between(0, turn + 2)
    assert [row.transaction for row in rows] == [turn - 1, turn, turn + 1]
