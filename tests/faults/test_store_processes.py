"""The database server killed, frozen and starved: nothing acknowledged is lost."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from psycopg import IsolationLevel

from audit import api, ledger
from audit.models import ActKey, Record
from audit.outcomes.once import until_known
from audit.retention.space import SpaceWatch
from tests.faults import clusters
from tests.faults.cut_proxy import AFTER, BEFORE, CutProxy
from tests.faults.storage import DATA_FULL, FLUSH_FAILS, WAL_FULL, Storage

pytestmark = [pytest.mark.timeout(900), pytest.mark.requirement("URS-AUD-067")]
SEED = 20_261_125
CLIENTS = 50


# ------------------------------------------------------------------------------------ killed
@pytest.mark.fault("STO-01")
def test_a_killed_server_loses_nothing_that_was_acknowledged(store, campaign):
    store.start()
    lost = doubled = forked = 0
    slowest = 0.0
    with store.as_role(), store.sealing(), clusters.Clients(CLIENTS) as clients:
        for run in range(campaign.runs):
            chance = clusters.moment(SEED, run)
            clients.wait_for(chance.randint(50, 400))
            begun, failed = time.monotonic(), len(clients.failed)
            if run % 2:  # one backend: the postmaster restarts them all by itself
                chance.choice(store.backends()).kill()
            else:
                store.kill()
                store.start()
            wait_until(lambda before=failed: len(clients.failed) > before)
            clients.wait_for(1)
            slowest = max(slowest, time.monotonic() - begun)
            now_lost, now_doubled = clusters.losses(store, set(clients.acked))
            lost, doubled = lost + now_lost, doubled + now_doubled
    forked += clusters.forks(store)
    campaign.saw(lost_acked=lost, dup=doubled, chain_forks=forked, ready_s=round(slowest, 3))


# ----------------------------------------------------------------------------------- at once
LEVELS = (
    IsolationLevel.READ_COMMITTED,
    IsolationLevel.REPEATABLE_READ,
    IsolationLevel.SERIALIZABLE,
)
WRITERS = 16


def write_many(store: clusters.Store, writer: int, level: Any, count: int, said: Any) -> None:
    """Append from a process of its own, with random waits before COMMIT; say what was answered."""
    clusters.forget_connections()
    settings = connections["default"].settings_dict
    settings["OPTIONS"] = {**settings["OPTIONS"], "isolation_level": level}
    chance, acked, deadlocks = random.Random(f"{SEED} {writer} {level}"), [], 0
    for number in range(count):
        mark = f"{level.name} {writer} {number}"
        while mark not in acked:
            try:
                with transaction.atomic():
                    ledger.append(stream="faults", kind="tests.fact.noted", reason=mark)
                    time.sleep(chance.random() * 0.004)
                acked.append(mark)
            except DatabaseError as error:
                deadlocks += "deadlock" in str(error)
    said.put((acked, deadlocks))
    connections["default"].close()


@pytest.mark.fault("STO-06")
def test_sixteen_processes_append_at_once_in_every_isolation_and_leave_one_chain(store, campaign):
    store.start()
    each = max(1, campaign.runs // (WRITERS * len(LEVELS)))
    acked: list[str] = []
    deadlocks = alarms = 0
    with store.as_role(), store.sealing():
        for level in LEVELS:  # the first of them on an empty table
            answers = clusters.FORK.Queue()
            writers = [
                clusters.FORK.Process(target=write_many, args=(store, n, level, each, answers))
                for n in range(WRITERS)
            ]
            connections["default"].close()
            for writer in writers:
                writer.start()
            for _ in writers:
                marks, waited = answers.get(timeout=300)
                acked, deadlocks = acked + marks, deadlocks + waited
            for writer in writers:
                writer.join(timeout=30)
    forked = clusters.forks(store)
    alarms += forked  # whoever was honest and is called a forger
    lost, doubled = clusters.losses(store, set(acked))
    assert len(acked) == each * WRITERS * len(LEVELS)
    campaign.saw(
        chain_forks=forked, lost_acked=lost, dup=doubled, false_alarms=alarms, deadlocks=deadlocks
    )


# ------------------------------------------------------------------------------ answers lost
@contextlib.contextmanager
def through(store: clusters.Store) -> Iterator[CutProxy]:
    """Put a relay between Django and the store."""
    proxy = CutProxy(store.folder.path / "proxy", store.server.sockets)
    settings = connections["default"].settings_dict
    connections["default"].close()
    before, settings["HOST"] = settings["HOST"], str(proxy.folder)
    try:
        yield proxy
    finally:
        connections["default"].close()
        settings["HOST"] = before
        proxy.close()


def once_under(key: Any, mark: str) -> tuple[Record, bool]:
    def do() -> Record:
        return ledger.append(stream="faults", kind="tests.fact.noted", reason=mark)

    return until_known(key, {"mark": mark}, do, pause=lambda seconds: time.sleep(0.01))


@pytest.mark.fault("STO-18")
def test_an_answer_cut_at_commit_leaves_one_record_after_the_retry(store, campaign):
    store.start()
    acked: set[str] = set()
    chance, replays = random.Random(SEED), 0
    with store.as_role(), through(store) as proxy:
        for run in range(campaign.runs):
            proxy.cuts = [AFTER if run == 0 else chance.choice((BEFORE, AFTER))]
            proxy.cuts *= 1 + run % 3  # cut again and again before an answer comes through
            record, replayed = once_under(api.uuid7(), f"cut {run}")
            acked.add(f"cut {run}")
            replays += replayed
            assert Record.objects.filter(pk=record.pk).exists()
    assert len(proxy.done) >= campaign.runs and replays
    lost, doubled = clusters.losses(store, acked)
    assert clusters.forks(store) == 0
    campaign.saw(dup=doubled, lost_acked=lost)


# ------------------------------------------------------------------------------------ frozen
@pytest.mark.fault("STO-20")
def test_a_frozen_server_is_refused_in_time_and_does_nothing_twice(store, campaign):
    store.start()
    frozen_for = (3.0,) if not campaign.is_full else (5.0, 30.0, 60.0)
    deadline = 0.5 if not campaign.is_full else 10.0
    slowest_answer = slowest_return = 0.0

    def act(mark: str) -> None:
        with api.answers_within(deadline):
            once_under(api.uuid7(), mark)

    with store.as_role(), clusters.Clients(8, act) as clients:
        for run in range(campaign.runs):
            clients.wait_for(20)
            stopped = store.everyone()
            for process in stopped:
                process.send_signal(signal.SIGSTOP)
            still = frozen_for[run % len(frozen_for)]
            time.sleep(still)
            refused = len(clients.failed)
            for process in stopped:
                with contextlib.suppress(Exception):
                    process.send_signal(signal.SIGCONT)
            begun = time.monotonic()
            clients.wait_for(1)
            slowest_return = max(slowest_return, time.monotonic() - begun)
            was_long = still > 2 * deadline
            assert refused or not was_long, "no client was refused while the server stood still"
        slowest_answer = clients.longest
    lost, doubled = clusters.losses(store, clients.acked)
    assert clusters.forks(store) == 0
    campaign.saw(
        lost_acked=lost,
        dup=doubled,
        request_deadline_s=round(slowest_answer, 3),
        recover_s=round(slowest_return, 3),
    )


# --------------------------------------------------------------------------- failing storage
@pytest.fixture
def storage(store: clusters.Store) -> Iterator[Storage]:
    made = Storage(store)
    yield made
    store.stop()
    made.discard()


@pytest.mark.fault("STO-13")
def test_a_flush_that_fails_once_acknowledges_nothing(store, storage, campaign):
    store.start()
    lost = after = 0
    with store.as_role(), store.sealing(), clusters.Clients(8) as clients:
        for run in range(campaign.runs):
            chance = clusters.moment(SEED, run)
            clients.wait_for(20)
            before = storage.failed_flushes
            storage.say(FLUSH_FAILS, flushes=chance.randint(0, 30))
            deadline = time.monotonic() + 60
            while storage.failed_flushes == before and time.monotonic() < deadline:
                time.sleep(0.002)
            assert storage.failed_flushes == before + 1, "no flush has failed"
            storage.heal()
            back_again(store)
            clients.wait_for(5)
    assert "Input/output error" in store.log() and "PANIC" in store.log()
    lost, _ = clusters.losses(store, clients.acked)
    after = lost  # what was acknowledged though its flush had failed would be gone by now
    campaign.saw(lost_acked=lost, chain_forks=clusters.forks(store), acked_after_eio=after)


def back_again(store: clusters.Store) -> float:
    """Wait until the server answers; start it where it has gone. Return the seconds."""
    begun = time.monotonic()
    while not store.server.ready():
        if store.process is not None and store.process.poll() is not None:
            store.start()
        assert time.monotonic() - begun < 120, "the server does not come back"
        time.sleep(0.05)
    return time.monotonic() - begun


def act_of_two(mark: str) -> None:
    """A record, a large content beside it and the key of the act: all of it or nothing."""

    def do() -> Record:
        digest = ledger.put_blob(os.urandom(30_000), "application/octet-stream")
        return ledger.append(stream="faults", kind="tests.fact.noted", reason=mark, blobs=[digest])

    with api.answers_within(10):
        until_known(api.uuid7(), {"mark": mark}, do, attempts=1)


@pytest.mark.fault("STO-11")
def test_a_full_volume_refuses_whole_acts_and_goes_on_when_there_is_room(store, storage, campaign):
    store.start()
    slowest = 0.0
    with store.as_role():
        share = iter((0.5, 0.86, 0.97, 0.6))
        watch = SpaceWatch(store.folder.path, measure=lambda folder: next(share))
        for _ in range(3):  # as the sealer looks each minute while the volume fills
            watch.look()
        warned = Record.objects.filter(kind="audit.space.short").count()
        with clusters.Clients(8, act_of_two) as clients:
            for _ in range(campaign.runs):
                clients.wait_for(20)
                begun_full = len(clients.failed)
                storage.say(DATA_FULL)
                wait_until(lambda least=begun_full + 5: len(clients.failed) >= least)
                assert Record.objects.filter(stream="faults").count() > 0  # reading goes on
                storage.heal()
                begun = time.monotonic()
                clients.wait_for(10)
                slowest = max(slowest, time.monotonic() - begun)
        watch.look()
        partial = half_acts()
        assert Record.objects.filter(kind="audit.space.freed").count() == 1
    assert any("No space left" in said for said in clients.failed)
    lost, _ = clusters.losses(store, clients.acked)
    assert clusters.forks(store) == 0
    campaign.saw(
        lost_acked=lost,
        partial_records=partial,
        recover_s=round(slowest, 3),
        warn_before_full=float(warned == 2),
    )


def half_acts() -> int:
    """Return how many acts have a key without a record, or a record without a key."""
    records = set(Record.objects.filter(stream="faults").values_list("pk", flat=True))
    return len(records ^ set(ActKey.objects.values_list("record_id", flat=True)))


def wait_until(holds: Any, within: float = 60.0) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.01)


@pytest.mark.fault("STO-12")
def test_a_full_log_volume_stops_the_server_and_loses_nothing(store, storage, campaign):
    store.server.settings += ["wal_recycle=off", "min_wal_size=32MB"]
    store.start()
    slowest = 0.0
    with store.as_role(), store.sealing(), clusters.Clients(8) as clients:
        for _ in range(campaign.runs):
            clients.wait_for(50)
            before = storage.failed_writes
            storage.say(WAL_FULL)
            with contextlib.suppress(Exception), store.superuser() as session:
                for _ in range(20):  # fill what segments there are
                    session.execute("SELECT pg_switch_wal()")
                    session.execute("SELECT txid_current()")
            wait_until(lambda before=before: storage.failed_writes > before)
            storage.heal()
            slowest = max(slowest, back_again(store))
            clients.wait_for(10)
    assert "No space left on device" in store.log()
    lost, _ = clusters.losses(store, clients.acked)
    campaign.saw(lost_acked=lost, chain_forks=clusters.forks(store), ready_s=round(slowest, 3))


def test_the_clients_of_these_tests_would_notice_a_loss_and_a_double(store):
    store.start()
    with store.as_role():
        clusters.write("a")
        clusters.write("b")
        clusters.write("b")
        connection.close()
    assert clusters.losses(store, {"a", "b", "c"}) == (1, 1)
