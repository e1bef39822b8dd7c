"""Attacks by who owns database, disk and key, with a witness elsewhere; keys turned under load."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from audit import api, checkpoint, exports, verification, verifier
from audit.models import Block, Checkpoint, Publication, Record
from audit.outside import Outside, fencing, turning
from audit.outside.publishing import Publisher
from audit.sealer import LedgerClosed
from tests.audit.made_ledger import key_of
from tests.audit.outside.test_turning import Site
from tests.audit.sealing import ORIGIN, Ledger
from tests.audit.test_tampering import rewrite_chain
from tests.audit.witness.running import RunningWitness
from tests.services import TestServices, django_on

GUARDS = """
SELECT tgrelid::regclass::text, tgname FROM pg_trigger
WHERE tgenabled = 'A' AND tgrelid::regclass::text ~ '^audit_(record|block|checkpoint|publication)'
"""
EDITED = "edited by the owner of everything"


def note(text: str = "a fact", count: int = 1) -> None:
    with transaction.atomic():
        for number in range(count):
            api.append(stream="test", kind="test.fact.noted", reason=f"{text} {number}")


class Watched:
    """A ledger on a database of its own, and what its sealer's process does in a second."""

    def __init__(self, services: TestServices, name: str, place: Path, policy: Path) -> None:
        self.services, self.name, self.policy = services, name, policy
        self.ledger = Ledger(services, name, place)
        self.published: list[int] = []
        self.begin()

    def begin(self) -> None:
        """Start the process anew."""
        self.publisher = Publisher(self.policy, self.ledger.outside)

    def second(self) -> None:
        if self.publisher.refusal is None:
            self.ledger.seal()
            with self.ledger.as_sealer():
                self.publisher.step()
        last = Publication.objects.order_by("-tree_size").first()
        if last is not None and last.tree_size not in self.published:
            self.published.append(last.tree_size)

    @contextmanager
    def without_guards(self) -> Iterator[Any]:
        """Connect as who owns the server; the ledger's triggers are off, and put back after."""
        with self.services.connect("superuser", self.name) as owner:
            guards = owner.execute(GUARDS).fetchall()
            for table, trigger in guards:
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
            owner.execute("SET session_replication_role = replica")
            yield owner
            for table, trigger in guards:
                owner.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


Make = Callable[[], Watched]


@pytest.fixture
def watched(services: TestServices, settings, tmp_path, django_db_blocker) -> Iterator[Any]:
    """Give ledgers under a witness, each in its turn: ``with watched() as one``."""
    made: list[int] = []

    @contextmanager
    def one() -> Iterator[Watched]:
        place = tmp_path / f"run-{len(made)}"
        made.append(len(made))
        place.mkdir()
        settings.WITNESSES_FILE = place / "witnesses.txt"
        settings.LEDGER_PUBLIC_KEY_FILE = place / "trusted.pub"
        settings.LEDGER_ORIGIN = ORIGIN
        name = services.clone()
        with django_db_blocker.unblock(), django_on(name):
            site = Watched(services, name, place / "checkpoints", settings.WITNESSES_FILE)
            key = site.ledger.keys[0]
            settings.LEDGER_PUBLIC_KEY_FILE.write_text(f"{key}\n")
            witness = RunningWitness(place / "witness", "witness.example/w", ORIGIN, key)
            settings.WITNESSES_FILE.write_text(f"{witness.line}\nquorum 1\n")
            try:
                yield site
            finally:
                witness.stop()
        services.drop(name)

    yield one


@pytest.mark.requirement("URS-AUD-032")
@pytest.mark.fault("STO-05")
def test_a_ledger_rewritten_with_its_own_key_is_stopped_by_its_witness(watched, campaign):
    found, widest, longest = 0, 0, 0.0
    for _ in range(campaign.runs):
        with watched() as site:
            for block in range(3):
                note(f"block {block} record", 4)
                site.second()
            rewritten, honest = rewrite_with_the_key(site), list(site.published)
            began = time.monotonic()
            site.begin()
            note("the first after it")
            site.second()
            longest = max(longest, time.monotonic() - began)
            fenced = Record.objects.filter(kind="audit.writer.fenced").count()
            found += site.publisher.refusal is not None and fenced == 1
            widest = max(widest, in_doubt(honest, rewritten))
    campaign.saw(
        detected_share=found / campaign.runs, interval_records=widest, exposure_window_s=longest
    )


def rewrite_with_the_key(site: Watched) -> int:
    """Edit a record, make chain, checkpoints and folder anew; return the record's sequence."""
    with site.without_guards() as owner:
        owner.execute(
            "UPDATE audit_record SET payload = replace(payload, 'block 1 record 2', %s) "
            "WHERE payload LIKE '%%block 1 record 2%%'",
            [EDITED],
        )
        owner.execute("DELETE FROM audit_publication")
        owner.execute("DELETE FROM audit_checkpoint")
        rewrite_chain(owner)
    shutil.rmtree(site.ledger.outside.folder)
    site.ledger.outside = Outside(site.ledger.outside.folder)
    with site.ledger.as_sealer():
        site.ledger.sealer().publish()
    assert site.ledger.verify().ok  # by itself the forgery is perfect
    sequence = api.sequence_of(Record.objects.get(payload__contains=EDITED))
    assert sequence is not None
    return sequence


def in_doubt(published: list[int], sequence: int) -> int:
    """Return how many records lie between the cosigned sizes around one of them."""
    above = min(size for size in published if size > sequence)
    return above - max((size for size in published if size <= sequence), default=0)


@pytest.mark.requirement("URS-AUD-032")
@pytest.mark.fault("STO-04")
def test_a_tail_cut_off_with_everything_that_told_of_it_closes_the_ledger(watched, campaign):
    found = placed = accepted = 0
    longest = 0.0
    for run in range(campaign.runs):
        with watched() as site:
            note(count=5)
            site.second()  # its policy's record makes the lost ones two or more
            folder = site.ledger.outside.folder
            shutil.copytree(folder, kept := folder.with_name("kept"))
            note("to be lost", (1, 10, 1000)[run % 3])
            site.second()
            lost = cut_back(site, kept)
            began = time.monotonic()
            with site.ledger.as_sealer():
                restarted = site.ledger.sealer(others=fencing.watchers(ORIGIN))
            longest = max(longest, time.monotonic() - began)
            found += bool(restarted.found)
            placed += any(f": {lost} are missing" in one for one in restarted.found)
            accepted += is_accepted()
    campaign.saw(
        detected_share=found / campaign.runs,
        localised_share=placed / campaign.runs,
        writes_accepted_after=accepted,
        exposure_window_s=longest,
    )


def cut_back(site: Watched, kept: Path) -> int:
    """Remove the newest block, its records and all that was signed on it; return how many."""
    last = Block.objects.order_by("-number")[0]
    below = str(last.transaction_from)
    with site.without_guards() as owner:
        owner.execute("DELETE FROM audit_record WHERE transaction >= %s::text::xid8", [below])
        owner.execute("DELETE FROM audit_block WHERE number = %s", [last.number])
        for table in ("checkpoint", "publication"):
            owner.execute(f"DELETE FROM audit_{table} WHERE tree_size > %s", [last.first_sequence])
    shutil.rmtree(site.ledger.outside.folder)
    shutil.copytree(kept, site.ledger.outside.folder)
    site.ledger.outside = Outside(site.ledger.outside.folder)
    assert site.ledger.verify().ok  # by itself the rest is whole
    return last.count


def is_accepted() -> bool:
    """Whether the ledger takes a record."""
    try:
        note("it would go on")
    except OperationalError:
        return False
    return True


@pytest.mark.requirement("URS-AUD-032")
@pytest.mark.fault("BAK-05")
def test_of_two_hosts_with_one_ledger_the_second_to_write_is_fenced(
    watched, services, tmp_path, campaign
):
    forks, longest = 0, 0.0
    for run in range(campaign.runs):
        with watched() as old:
            note(count=3)
            old.second()
            connection.close()
            copy = services.clone(template=old.name)
            new = Watched(services, copy, tmp_path / f"new-host-{run}", old.policy)
            new.ledger.key = old.ledger.key
            note("on the old host")
            old.second()
            with django_on(copy):
                forks_here, both_s = write_until_fenced(new)
                forks, longest = forks + forks_here, max(longest, both_s)
            note("the old host goes on")
            old.second()
            assert old.publisher.refusal is None
            assert old.ledger.verify().ok
            services.drop(copy)
    campaign.saw(forks=forks, both_writing_s=longest)


def write_until_fenced(new: Watched) -> tuple[int, float]:
    """Let the restored host write; return what it got cosigned, and for how long (s) it wrote."""
    began = time.monotonic()
    new.published += Publication.objects.values_list("tree_size", flat=True)
    before = len(new.published)
    note("on the restored host")
    new.second()
    seconds = time.monotonic() - began
    assert new.publisher.refusal is not None
    with pytest.raises(OperationalError, match="closed"):
        note("it would go on")
    assert Record.objects.filter(kind="audit.writer.fenced").count() == 1
    with new.ledger.as_sealer(), pytest.raises(LedgerClosed):
        new.ledger.sealer(others=fencing.watchers(ORIGIN)).seal()
    return len(new.published) - before, seconds


@pytest.mark.requirement("URS-AUD-036")
@pytest.mark.fault("STO-24")
def test_keys_turned_or_lost_under_load_strand_nothing(
    watched, campaign, tmp_path, monkeypatch, settings
):
    alarms = lost = accepted = 0
    for run in range(campaign.runs):
        with watched() as base:
            folder = tmp_path / f"keys-{run}"
            folder.mkdir()
            site = Site(base.ledger, folder)
            acknowledged = turn_under_load(site, monkeypatch, is_lost=run % 2 == 1)
            alarms += not site.verify().ok
            alarms += not bundle_holds(site, tmp_path / f"bundle-{run}", settings)
            lost += len(acknowledged - sealed())
            accepted += len(accepted_without_history(site))
    campaign.saw(false_alarms=alarms, lost_acked=lost, unknown_key_accepted=accepted)


def sealed() -> set[Any]:
    """Return the keys of every record that a block holds."""
    last = Block.objects.order_by("-number")[0]
    rows = Record.objects.filter(transaction__lt=last.transaction_below)
    return set(rows.values_list("id", flat=True))


def turn_under_load(site: Site, monkeypatch, *, is_lost: bool) -> set[Any]:
    """Turn the key while two writers write; return what was acknowledged to them."""
    acknowledged: set[Any] = set()
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            with transaction.atomic():
                record = api.append(stream="test", kind="test.fact.noted")
            acknowledged.add(record.pk)
        connection.close()

    with site.ledger.as_sealer():
        work, turner = site.sealer()
    site.second(work, turner)
    if is_lost:
        site.place.private.unlink()
    following = site.rotate(monkeypatch, is_lost=is_lost)
    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    if is_lost:  # the sealer's process ended with its key: this is its next start
        with site.ledger.as_sealer():
            work, turner = site.sealer()
    for _ in range(5):
        site.second(work, turner)
    over.set()
    for writer in writers:
        writer.join()
    site.second(work, turner)
    assert site.place.in_force() == following
    return acknowledged


def bundle_holds(site: Site, folder: Path, settings: Any) -> bool:
    """Whether an export verifies offline, held to all public keys in their order."""
    settings.LEDGER_PUBLIC_KEY_FILE = site.place.public
    exports.export(folder)
    return verifier.verify(folder, trust=site.place.public).ok


def accepted_without_history(site: Site) -> list[str]:
    """Return which checks pass that must not: held to one key of two, or to a stranger's."""
    outside, (former, following) = site.ledger.outside.all(), site.listed()
    stranger = checkpoint.sign(
        checkpoint.parse(outside[-1]), name=ORIGIN, key=key_of("nobody's key")
    )
    checks = {
        "the former key alone": verification.verify(keys=[former], outside=outside),
        "the next key alone": verification.verify(keys=[following], outside=outside),
        "a stranger's": verification.verify(keys=site.listed(), outside=[*outside, stranger]),
    }
    return [name for name, result in checks.items() if result.ok]


def test_the_checkpoint_of_the_turn_is_the_last_of_the_former_key(watched, tmp_path, monkeypatch):
    with watched() as base:
        (folder := tmp_path / "keys").mkdir()
        site = Site(base.ledger, folder)
        turn_under_load(site, monkeypatch, is_lost=False)
        signers = [
            len(site.signers(text))
            for text in Checkpoint.objects.order_by("pk").values_list("note", flat=True)
        ]
        assert sorted(signers[:2]) == [1, 2]
        assert set(signers[2:]) == {1}
        assert Record.objects.filter(kind=turning.ROTATED).count() == 1
