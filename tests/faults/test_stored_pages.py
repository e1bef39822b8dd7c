"""Pages of the records flipped or edited on the disk: never served as good, always found."""

import random
import subprocess
import time
from pathlib import Path

import pytest
from django.db import DatabaseError

from audit.models import Record
from tests.faults import clusters

pytestmark = [pytest.mark.timeout(900), pytest.mark.requirement("URS-AUD-067")]
SEED = 20_261_126
PAGE = 8192  # bytes
RECORDS = 40


def filled(store: clusters.Store) -> tuple[Path, dict[str, str]]:
    """Write and seal records; return the file of their partition and what each of them says."""
    store.start()
    with store.as_role():
        for number in range(RECORDS):
            clusters.write(f"honest {number:03}")
        told = {str(row.pk): row.payload for row in Record.objects.all()}
    store.seal()
    with store.superuser() as session:
        session.execute("CHECKPOINT")
        row = session.execute(
            "SELECT pg_relation_filepath(tableoid) FROM audit_record LIMIT 1"
        ).fetchone()
    assert row is not None
    store.stop()
    return store.server.cluster / row[0], told


def wrong_values(store: clusters.Store, told: dict[str, str]) -> int:
    """Read every record through the product; return how many came back other than written."""
    wrong = 0
    with store.as_role():
        for key, payload in told.items():
            try:
                found = Record.objects.filter(pk=key).first()
            except DatabaseError:
                continue  # an error is no wrong value
            wrong += found is not None and found.payload != payload
    return wrong


@pytest.mark.fault("STO-09")
def test_a_flipped_bit_is_never_served_and_is_found(store, campaign):
    path, told = filled(store)
    whole = path.read_bytes()
    wrong = found = 0
    slowest = 0.0
    for run in range(campaign.runs):
        chance = random.Random(f"{SEED} {run}")
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        store.start()
        wrong += wrong_values(store, told)
        begun = time.monotonic()
        result = store.verify()
        slowest = max(slowest, time.monotonic() - begun)
        found += not result.ok and "cannot read" in (result.finding or ("", ""))[1]
        store.stop()
        path.write_bytes(whole)
    store.start()
    assert store.verify().ok
    share = found / campaign.runs
    campaign.saw(wrong_values_served=wrong, detected_share=share, detect_s=round(slowest, 3))


@pytest.mark.fault("STO-10")
def test_an_edited_page_with_a_new_checksum_is_found_by_its_record(store, campaign):
    path, _ = filled(store)
    whole = path.read_bytes()
    found = placed = 0
    for run in range(campaign.runs):
        number = random.Random(f"{SEED} {run}").randrange(RECORDS)
        honest = f"honest {number:03}".encode()
        assert whole.count(honest) == 1
        path.write_bytes(whole.replace(honest, honest.replace(b"honest", b"forged")))
        checksums_anew(store)
        store.start()
        result = store.verify()
        sequence = sequence_of(store, f"forged {number:03}")
        found += not result.ok
        placed += result.finding is not None and result.finding.place.endswith(f" {sequence}")
        store.stop()
        path.write_bytes(whole)
        checksums_anew(store)
    campaign.saw(detected_share=found / campaign.runs, localised_share=placed / campaign.runs)


def checksums_anew(store: clusters.Store) -> None:
    """Let PostgreSQL's own tool make every checksum of the stopped cluster anew."""
    tool = store.server.binaries() / "pg_checksums"
    account = store.server.account.popen_arguments()
    for act in ("--disable", "--enable"):
        command = [str(tool), act, "--no-sync", "-D", str(store.server.cluster)]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **account)


def sequence_of(store: clusters.Store, mark: str) -> int:
    with store.superuser() as session:
        row = session.execute(
            "SELECT count(*) FROM audit_record a, audit_record b WHERE b.payload LIKE %s "
            "AND (a.transaction, a.id) < (b.transaction, b.id)",
            [f"%{mark}%"],
        ).fetchone()
    assert row is not None
    return row[0]
