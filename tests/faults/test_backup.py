"""Backups made, damaged, mixed, searched and verified; a site of its own for all of them."""

import json
import shutil
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from audit import api
from audit.models import Record
from audit.recovery import archive, sealed_files, wal
from models_registry.testing import ARTEFACT, drafted
from tests.faults.small_site import SmallSite, new_place
from twin_core.supervisor import database
from twin_core.supervisor.backup import base_backup
from twin_core.supervisor.backup.archive import receiving
from twin_core.supervisor.backup.references import dangling
from twin_core.supervisor.backup.restoring import Opening, restore
from twin_core.supervisor.backup.store import CLUSTER, FILES, KEPT, Store
from twin_core.supervisor.backup.verifying import Trust, verify_backup
from twin_core.supervisor.folder import DataFolder

CANARY = f"canary-{uuid4()}"
REGISTRY = """
CREATE TABLE runs (run_uuid text PRIMARY KEY, lifecycle_stage text, artifact_uri text);
CREATE TABLE tags (key text, value text, run_uuid text);
"""


@pytest.fixture(scope="module")
def site(django_db_blocker):
    """A running site with records, a model version and its copy in the registry, and a backup."""
    with django_db_blocker.unblock(), new_place() as place, ExitStack() as stack:
        made = SmallSite(place / "data")
        url = stack.enter_context(made.running())
        made.initialise(url)
        made.append(30, reason=CANARY)
        digest = register(made, url)
        made.seal()
        store, identity, keys = Store(place / "store"), place / "identity", place / "keys.age"
        recipient = sealed_files.make_identity(identity)
        (made.folder.keys / "canary").write_text(CANARY)
        store.make()
        archiver = made.archiver(store, sealed_files.recipient_of(recipient))
        stack.enter_context(receiving(archiver))
        whole = base_backup.back_up(
            store, admin_url=url, twin="twin", data=made.folder.path, recipient=recipient
        )
        base_backup.escrow_keys(made.folder.path, keys, recipient)
        trust = Trust(made.folder.keys / "ledger.pub", made.outside.all(), made.origin, "mlflow")
        yield SimpleNamespace(
            made=made,
            url=url,
            store=store,
            place=place,
            recipient=recipient,
            base=whole.folder,
            opening=Opening(identity, keys),
            trust=trust,
            digest=digest,
            archiver=archiver,
        )


def register(site: SmallSite, url: str) -> str:
    """Draft a version with an artefact and feed a registry with it; returns its digest."""
    with site.acting("twin_application"):
        version = drafted(name="v1")
        digest = api.put_blob(api.encode(ARTEFACT), "application/json")
    content = site.folder.path / "mlflow" / "run1" / "artifacts" / "artefact.json"
    content.parent.mkdir(parents=True)
    content.write_bytes(api.encode(ARTEFACT))
    with database.connect(url, "mlflow") as session:
        session.execute(REGISTRY)
        place = f"file://{site.folder.path}/mlflow/run1/artifacts"
        session.execute("INSERT INTO runs VALUES ('run1', 'active', %s)", [place])
        for key, value in (
            ("version_id", str(version.pk)),
            ("artefact_digest", "none"),
            ("record_leaf", bytes(version.record.leaf).hex()),
        ):
            session.execute("INSERT INTO tags VALUES (%s, %s, 'run1')", [key, value])
    return digest


def copy_of(site: Any, name: str) -> tuple[Store, Path]:
    """Copy the store, to be damaged; returns it and its only base backup."""
    store = Store(site.place / name)
    shutil.copytree(site.store.path, store.path)
    return store, store.newest_base()


def damage(folder: Path, run: int) -> str:
    """Damage one file of a backup in one of four ways; returns which."""
    files = sorted(folder.iterdir())
    path = files[run // 4 % len(files)]
    content = bytearray(path.read_bytes())
    how = ("flip", "cut", "drop", "add")[run % 4]
    if how == "flip":
        content[(run * 7919) % len(content)] ^= 1 << (run % 8)
        path.write_bytes(bytes(content))
    elif how == "cut":
        path.write_bytes(bytes(content[: (run * 104_729) % len(content)]))
    elif how == "drop":
        path.unlink()
    else:
        (folder / f"{path.name}.more").write_bytes(b"x")
    return how


@pytest.mark.fault("BAK-03")
@pytest.mark.requirement("URS-AUD-046")
def test_no_damage_of_a_backup_stays_unseen(campaign, site):
    unseen = 0
    for run in range(campaign.runs):
        store, folder = copy_of(site, f"damaged{run}")
        opening = site.opening
        if run % 5 == 4:
            other = site.place / f"other{run}"
            sealed_files.make_identity(other)
            opening = Opening(other, site.opening.keys)
        else:
            damage(folder, run)
        report = verify_backup(store, opening, trust=site.trust)
        unseen += report.is_good
        shutil.rmtree(store.path)
    campaign.saw(undetected=unseen)


@pytest.mark.requirement("URS-AUD-046")
def test_a_good_backup_is_verified_with_its_escrowed_keys(site):
    report = verify_backup(site.store, site.opening, trust=site.trust)
    assert report.flaws == []
    assert report.keys_checked
    assert report.records > 30
    assert report.checkpoints > 0


@pytest.mark.fault("BAK-06")
@pytest.mark.requirement("URS-AUD-046")
def test_parts_of_two_moments_are_found(campaign, site):
    unseen = 0
    with database.connect(site.url, "mlflow") as registry:
        registry.execute("UPDATE tags SET value = %s WHERE key = 'artefact_digest'", [site.digest])
        for run in range(campaign.runs):
            mix = (mixed_registry, mixed_files)[run % 2]
            unseen += not mix(site, registry, run)
        registry.execute("UPDATE tags SET value = 'none' WHERE key = 'artefact_digest'")
    campaign.saw(dangling_undetected=unseen)


def found_in(site: Any, registry: Any, data: Path) -> list[str]:
    with database.connect(site.url, "twin") as twin:
        return list(dangling(twin, registry, data))


def mixed_registry(site, registry, run) -> bool:
    """The registry knows a version that the ledger's database does not have yet."""
    unknown = str(uuid4())
    registry.execute("INSERT INTO runs VALUES (%s, 'active', '/x/mlflow/y')", [f"later{run}"])
    registry.execute("INSERT INTO tags VALUES ('version_id', %s, %s)", [unknown, f"later{run}"])
    told = found_in(site, registry, site.made.folder.path)
    registry.execute("DELETE FROM tags WHERE run_uuid = %s", [f"later{run}"])
    return any(unknown in flaw and "does not" in flaw for flaw in told)


def mixed_files(site, registry, run) -> bool:
    """The files are of a moment at which the artefact was not there, or was another one."""
    data = site.place / f"files{run}"
    shutil.copytree(site.made.folder.path / "mlflow", data / "mlflow")
    path = data / "mlflow" / "run1" / "artifacts" / "artefact.json"
    if run % 4 == 1:
        path.write_text("{}")
    else:
        path.unlink()
    return any("run1/artifacts" in flaw for flaw in found_in(site, registry, data))


@pytest.mark.requirement("URS-AUD-046")
def test_a_whole_installation_has_nothing_dangling_and_a_lost_blob_is_named(site):
    with database.connect(site.url, "mlflow") as registry:
        assert found_in(site, registry, site.made.folder.path) == []
    with site.made.acting("twin_application"):
        api.append_alone(stream="test", kind="test.fact.noted", blobs=["0" * 64])
    assert found_in(site, None, site.made.folder.path) == [
        f"blob {'0' * 64}, cited by a record of test.fact.noted, is missing"
    ]


@pytest.mark.fault("BAK-08")
@pytest.mark.requirement("URS-AUD-045")
def test_a_backup_tells_no_secret_and_opens_with_the_escrow_alone(campaign, site):
    found = 0
    opened = True
    for run in range(campaign.runs):
        secrets = secrets_of(site.made)
        for path in [*site.store.path.rglob("*"), site.opening.keys]:
            if path.is_file():
                content = path.read_bytes()
                found += sum(secret.encode() in content for secret in secrets)
        again = DataFolder(site.place / f"escrow{run}")
        restore(site.store, again, site.opening)
        opened &= secrets_of(SmallSite(again.path)) == secrets
        opened &= (again.path / "mlflow" / "run1" / "artifacts" / "artefact.json").is_file()
        shutil.rmtree(again.path)
    campaign.saw(canaries_found=found, escrow_restore_ok=int(opened))


def secrets_of(site: SmallSite) -> set[str]:
    """Everything that must not be readable: passwords, keys, the canary in keys and records."""
    words = {CANARY, *json.loads((site.folder.keys / "secrets.json").read_text()).values()}
    words -= {site.origin}
    words.add((site.folder.keys / "credential.key").read_text().strip())
    words.add((site.folder.keys / "ledger.key").read_text().split("\n")[1])
    words.add((site.folder.keys / "canary").read_text())
    return words


@pytest.mark.requirement("URS-AUD-045")
def test_keys_are_never_escrowed_over_others_nor_inside_the_backup(site):
    with pytest.raises(sealed_files.BackupBad, match="never written over"):
        base_backup.escrow_keys(site.made.folder.path, site.opening.keys, site.recipient)
    identity = sealed_files.identity_in(site.opening.identity)
    with sealed_files.unsealed(site.base / FILES, identity) as source:
        assert CANARY.encode() not in source.read()
    assert "keys" not in KEPT


@pytest.mark.requirement("URS-AUD-045")
def test_a_folder_with_something_in_it_is_not_restored_over(site):
    with pytest.raises(sealed_files.BackupBad, match="into a new folder"):
        restore(site.store, site.made.folder, site.opening)


@pytest.mark.fault("BAK-04")
@pytest.mark.requirement("URS-AUD-047")
def test_a_gap_in_the_archive_is_found_and_recorded_with_the_true_point(campaign, site):
    missed = 0
    slowest = 0.0
    for run in range(campaign.runs):
        with site.made.acting("twin_sealer"):
            watch = archive.Watch(site.store.path)
            for _ in range(2 if run == 0 else 1):
                turn_segment(site)
            site.archiver.catch_up()
            assert watch.look() == []
            seconds, seen = (removed, standing_still)[run % 2](site, watch)
            missed += not seen
            slowest = max(slowest, seconds)
            told = Record.objects.filter(kind="audit.backup.gap").latest("id")
            assert api.content(told)["data"]["complete_until"] == true_point(site, run)
    campaign.saw(undetected=missed, detect_s=slowest)


def true_point(site: Any, run: int) -> str:
    """With a segment gone only the base backup is sure; else all that was archived is."""
    made = json.loads((site.base / sealed_files.MANIFEST).read_bytes())["made_at"]
    return made if run % 2 == 0 else api.timestamp(site.store.archived().until)


def turn_segment(site: Any) -> None:
    with database.connect(site.url) as session:
        session.execute("SELECT pg_logical_emit_message(true, 'twin', 'turn')")
        session.execute("SELECT pg_switch_wal()")


def removed(site, watch) -> tuple[float, bool]:
    """A segment is gone: the next look finds it, a minute later at most."""
    first = json.loads((site.base / sealed_files.MANIFEST).read_bytes())["next_segment"]
    whole = [n for n in site.store.segments() if wal.NAME.fullmatch(n) and n >= first]
    for name in {n for n in site.store.segments() if n < first}:  # the base backup has these
        (site.store.wal / f"{name}{sealed_files.ENDING}").unlink()
    assert watch.look() == []
    path = site.store.wal / f"{whole[0]}{sealed_files.ENDING}"
    path.rename(site.place / "taken")
    found = watch.look()
    (site.place / "taken").rename(path)
    seen = found == [f"segment {whole[0]} is missing"]
    assert watch.look() == []
    assert Record.objects.filter(kind="audit.backup.complete").exists()
    return 60.0, seen


def standing_still(site, watch) -> tuple[float, bool]:
    """Nothing is taken any more while the database goes on: seconds until it is told."""
    point = site.store.archived()
    turn_segment(site)
    with database.connect(site.url) as session:
        (lsn,) = session.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    for seconds in range(0, 301, 60):
        now = point.until + timedelta(seconds=seconds)
        if found := archive.flaws(site.store.path, now=now, lsn=lsn, timeline=1):
            watch.told = []
            watch._record(found)
            return float(seconds), "the database went on" in found[0]
    return 301.0, False


@pytest.mark.requirement("URS-AUD-047")
def test_segments_are_counted_through_the_logs_of_one_timeline():
    names = ["0000000100000000000000FE", "0000000100000000000000FF", "000000010000000100000000"]
    assert wal.gaps(names, start=names[0]) == []
    assert wal.gaps(names[::2], start=names[0]) == [names[1]]
    assert wal.gaps([*names, "000000010000000100000001.partial"], start=names[0]) == []
    assert wal.gaps(["000000010000000100000000.partial", *names[:1]], start=names[0]) == [names[1]]
    assert wal.gaps(["00000002000000000000000A"], start="00000001000000000000000A") == []
    with pytest.raises(ValueError, match="no name of a log segment"):
        wal.Segment.of("archived.json")


@pytest.mark.requirement("URS-AUD-045")
@pytest.mark.parametrize("text", ["", "age1xyz", "ssh-ed25519 AAAA"])
def test_a_recipient_that_is_none_is_refused(text):
    with pytest.raises(sealed_files.BackupBad, match="no age recipient"):
        sealed_files.recipient_of(text)


@pytest.mark.requirement("URS-AUD-045")
def test_an_identity_file_without_identity_is_refused(tmp_path):
    (tmp_path / "empty").write_text("# nothing\n")
    for name in ("empty", "absent"):
        with pytest.raises(sealed_files.BackupBad, match="holds no age identity"):
            sealed_files.identity_in(tmp_path / name)
    sealed_files.make_identity(tmp_path / "one")
    with pytest.raises(FileExistsError):
        sealed_files.make_identity(tmp_path / "one")


@pytest.mark.requirement("URS-AUD-045")
def test_a_copy_that_breaks_off_is_no_backup(site, monkeypatch):
    with pytest.raises((sealed_files.BackupBad, psycopg.Error)):
        base_backup.back_up(
            Store(site.place / "broken"),
            admin_url=site.url.replace("postgres@", "twin_auditor:x@"),
            twin="twin",
            data=site.made.folder.path,
            recipient=site.recipient,
        )
    with pytest.raises(sealed_files.BackupBad, match="no finished backup"):
        Store(site.place / "broken").newest_base()


def test_the_parts_of_a_backup_are_these(site):
    assert {path.name for path in site.base.iterdir()} == {
        *(CLUSTER, FILES),
        *(sealed_files.MANIFEST, sealed_files.DIGEST),
    }
