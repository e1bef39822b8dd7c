"""The disk is lost: backup, more records, restore, verify, and the ledger goes on."""

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
from django.test import override_settings
from django.utils import timezone

from audit import actors, api, checkpoint, exports, verification
from audit.models import Record
from audit.recovery import epochs, sealed_files, standing
from audit.sealer import LedgerClosed
from tests.audit.people import enter
from tests.faults.small_site import SmallSite, new_place
from twin_core.supervisor.backup import base_backup
from twin_core.supervisor.backup.archive import receiving
from twin_core.supervisor.backup.restoring import Opening, restore
from twin_core.supervisor.backup.store import Store
from twin_core.supervisor.folder import DataFolder

ROOT = Path(__file__).resolve().parents[2]


class Writing(threading.Thread):
    """Appends records, one a transaction, until it is told to stop; keeps what was acknowledged."""

    def __init__(self, site: SmallSite) -> None:
        super().__init__(daemon=True)
        self.site = site
        self.acknowledged: list[tuple[float, str]] = []
        self.is_over = threading.Event()
        self.url = site.services.variables()["TWIN_DATABASE_URL"]

    def run(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as session:
            while not self.is_over.wait(0.002):
                try:
                    row = session.execute(
                        "INSERT INTO audit_record (stream, kind, payload) "
                        "SELECT stream, kind, payload FROM audit_record "
                        "WHERE stream = 'load' LIMIT 1 RETURNING id::text"
                    ).fetchone()
                except psycopg.Error:
                    return
                self.acknowledged.append((time.monotonic(), row[0]))


@pytest.fixture
def place():
    with new_place() as made:
        yield made


@pytest.mark.fault("BAK-02")
@pytest.mark.requirement("URS-AUD-045")
@pytest.mark.requirement("URS-AUD-047")
@pytest.mark.requirement("URS-AUD-041")
def test_a_lost_disk_loses_nothing_that_was_archived(campaign, django_db_blocker, place):
    lost = failures = 0
    slowest = 0.0
    with django_db_blocker.unblock():
        for run in range(campaign.runs):
            outcome = drill(place / str(run))
            lost, failures = lost + outcome[0], failures + outcome[1]
            slowest = max(slowest, outcome[2])
    print(f"restored in {slowest:.1f} s")
    campaign.saw(rpo_records=lost, rto_minutes=slowest / 60, verify_failures=failures)


def drill(place: Path) -> tuple[int, int, float]:
    """One disk lost under load; returns (acknowledged records lost, failures, seconds)."""
    place.mkdir()
    site = SmallSite(place / "data")
    identity, store = place / "identity", Store(place / "store")
    recipient = sealed_files.make_identity(identity)
    escrow = place / "keys.age"
    with site.running() as url:
        site.initialise(url)
        with site.acting("twin_application"):
            people = enter("ada", "qa_approver"), enter("bert", "system_administrator")
        site.append(40)
        with site.acting("twin_application"):
            api.append_alone(stream="load", kind="test.l.n")
        site.seal()
        base_backup.back_up(
            store, admin_url=url, twin="twin", data=site.folder.path, recipient=recipient
        )
        base_backup.escrow_keys(site.folder.path, escrow, recipient)
        archiver = site.archiver(store, sealed_files.recipient_of(recipient))
        with receiving(archiver):
            archived, outside, beyond = work_on(site, archiver)
            shutil.rmtree(site.folder.path)  # under load: sockets, spool, checkpoints and all
    began = time.monotonic()
    opening = Opening(identity, escrow)
    restore(store, DataFolder(place / "again"), opening)
    taken = time.monotonic() - began
    missing, failures = check(SmallSite(place / "again"), archived, outside, beyond, people)
    return missing, failures, taken


def work_on(site, archiver):
    """Write under load, archive, write and seal more; returns what must be and what was there."""
    writing = Writing(site)
    writing.start()
    while len(writing.acknowledged) < 200:
        time.sleep(0.01)
    site.seal()
    before = time.monotonic()
    archiver.catch_up()
    archived = [record for at, record in writing.acknowledged if at < before]
    time.sleep(0.1)
    site.append(5)
    site.seal()  # beyond the archive, and in the folder of checkpoints
    writing.is_over.set()
    writing.join()
    elsewhere = site.folder.path.with_name("elsewhere")
    shutil.copytree(site.outside.folder, elsewhere)  # on another disk
    return archived, elsewhere, checkpoint.parse(site.outside.latest()).tree_size


def check(site, archived, outside, beyond, people):
    shutil.copytree(outside, site.outside.folder, dirs_exist_ok=True)
    failures = 0
    with site.running():
        with pytest.raises(LedgerClosed, match="recovered: its timeline was 1 and is 2"):
            site.seal()
        with site.acting("twin_application"):
            there = set(Record.objects.values_list("id", flat=True))
            assert not standing.is_open()
        missing = set(archived) - {str(each) for each in there}
        kept = open_again(site, people, beyond)
        site.append(3)
        site.seal()
        with site.acting("twin_application"):
            keys_file = site.folder.keys / "ledger.pub"
            result = verification.verify(
                keys=verification.public_keys(keys_file), outside=site.outside.all()
            )
            failures += result.finding is not None
            assert result.records > kept
        failures += verify_offline(site)
    return len(missing), failures


def open_again(site, people, beyond) -> int:
    """Open the epoch; the lost range is exact: from what came back to what was signed."""
    with site.acting("twin_recovery"):
        shown = epochs.situation(site.origin, site.outside)
        now = timezone.now()
        signed_by = [(each.user, each.prove(now)) for each in people]
        epochs.open_epoch(shown, signed_by=signed_by, reason="disk lost")
    assert (shown.lost.start, shown.lost.stop) == (shown.header.tree_size, beyond)
    assert shown.lost.count > 0
    site.seal()
    with site.acting("twin_application"):
        assert standing.is_open()
    return shown.header.tree_size


def verify_offline(site) -> int:
    """Export the ledger and check the bundle with the one-file verifier; returns 1 for a flaw."""
    bundle = site.folder.path / "bundle"
    with (
        site.acting("twin_application"),
        override_settings(
            LEDGER_PUBLIC_KEY_FILE=site.folder.keys / "ledger.pub", LEDGER_ORIGIN=site.origin
        ),
    ):
        exports.export(bundle, filters=exports.Filters(), actor=actors.os_user_actor(), reason="t")
    command = [sys.executable, "-I", str(ROOT / "audit" / "verifier.py"), str(bundle)]
    command += ["--trust", str(site.folder.keys / "ledger.pub")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout, done.stderr)
    return int(done.returncode != 0)
