"""Checkpoints brought to folders and programs: in order, tried again, none forgotten."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import transaction

from audit import api, checkpoint
from audit.models import Checkpoint, Delivery, Record
from audit.outside import Outside, deliveries
from audit.outside.deliveries import Deliverer, spaced
from audit.outside.stores import FolderStore, HookStore, StoreFailed, stores

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


def seal(ledger, count: int = 1) -> str:
    """Seal one record and return its checkpoint."""
    with transaction.atomic():
        for _ in range(count):
            api.append(stream="test", kind="test.fact.noted")
    ledger.seal()
    return Checkpoint.objects.order_by("-pk").first().note


def kinds() -> list[str]:
    told = Record.objects.filter(kind__startswith="audit.delivery").order_by("id")
    return list(told.values_list("kind", flat=True))


@pytest.fixture
def deliver(ledger, tmp_path, monkeypatch):
    """Step a deliverer as the sealer's role would, without its pauses."""
    monkeypatch.setattr(deliveries, "FIRST_PAUSE", 0.0)
    made = {}

    def step(store) -> None:
        with ledger.as_sealer():
            if store.name not in made:
                made[store.name] = Deliverer(store, tmp_path / "no witnesses")
            made[store.name].step()

    return step


@pytest.mark.requirement("URS-AUD-033")
def test_every_checkpoint_comes_into_a_folder_once_the_folder_is_there(ledger, deliver, tmp_path):
    place = tmp_path / "mounted"
    store = FolderStore(place)
    notes = [seal(ledger)]
    for _ in range(3):
        deliver(store)  # its disk is not mounted: nothing is made in its place
    assert not place.exists()
    assert kinds() == ["audit.delivery.failed"]
    notes.append(seal(ledger))
    place.mkdir()
    deliver(store)
    assert Outside(place).all() == notes
    assert kinds() == ["audit.delivery.failed", "audit.delivery.resumed"]
    notes.append(seal(ledger))
    deliver(store)
    assert Outside(place).all() == notes
    assert Outside(place).latest() == notes[-1]


@pytest.mark.requirement("URS-AUD-033")
def test_a_new_start_goes_on_where_the_last_ended(ledger, tmp_path):
    place = tmp_path / "other"
    place.mkdir()
    note = seal(ledger)
    for _ in range(2):
        with ledger.as_sealer():
            Deliverer(FolderStore(place), tmp_path / "no witnesses").step()
    assert Outside(place).all() == [note]
    lines = [line for path in place.glob("*.jsonl") for line in path.read_text().splitlines()]
    assert len(lines) == 1
    assert Delivery.objects.get().tree_size == 1


def hook(path: Path, text: str) -> HookStore:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return HookStore(path, every=0)


@pytest.mark.requirement("URS-AUD-033")
def test_a_program_gets_the_checkpoint_and_a_name_and_none_of_our_secrets(
    ledger, deliver, tmp_path, monkeypatch
):
    monkeypatch.setenv("TWIN_SECRET_OF_OURS", "not for programs")
    store = hook(tmp_path / "upload", f'cat > {tmp_path}/"$1"; env > {tmp_path}/seen')
    note = seal(ledger)
    deliver(store)
    kept = tmp_path / "checkpoint-00000000000000000001.txt"
    assert kept.read_text() == note
    assert "TWIN_" not in (tmp_path / "seen").read_text()
    assert checkpoint.parse(kept.read_text()).tree_size == 1


@pytest.mark.requirement("URS-AUD-033")
def test_a_program_that_fails_is_called_again_with_all_that_was_due(ledger, deliver, tmp_path):
    gate = tmp_path / "gate"
    store = hook(
        tmp_path / "upload",
        f'[ -e {gate} ] || {{ echo "no link" >&2; exit 3; }}; cat > {tmp_path}/"$1"',
    )
    for _ in range(3):
        seal(ledger)
        deliver(store)
    assert kinds() == ["audit.delivery.failed"]
    failed = api.content(Record.objects.get(kind="audit.delivery.failed"))
    assert failed["reason"] == "ended with status 3: no link"
    gate.touch()
    deliver(store)
    sizes = sorted(int(path.stem[11:]) for path in tmp_path.glob("checkpoint-*"))
    assert sizes == list(Checkpoint.objects.order_by("pk").values_list("pk", flat=True))
    assert kinds() == ["audit.delivery.failed", "audit.delivery.resumed"]


@pytest.mark.requirement("URS-AUD-033")
@pytest.mark.parametrize("text", ["exit 1", "sleep 30"])
def test_a_program_that_ends_badly_or_hangs_has_kept_nothing(ledger, tmp_path, text, monkeypatch):
    monkeypatch.setattr("audit.outside.stores.HOOK_PATIENCE", 0.2)
    with pytest.raises(StoreFailed):
        hook(tmp_path / "upload", f"exec {text}").keep(seal(ledger))


def test_a_program_that_is_not_there_has_kept_nothing(ledger, tmp_path):
    with pytest.raises(StoreFailed, match="No such file"):
        HookStore(tmp_path / "nothing", every=60).keep(seal(ledger))


@pytest.mark.requirement("URS-AUD-033")
def test_of_each_span_the_last_checkpoint_is_brought_when_the_span_is_over():
    rows = [(n, f"note {n}", START + timedelta(seconds=n)) for n in (1, 30, 59, 61, 200, 239)]
    assert [n for n, _ in spaced(rows, 60, START + timedelta(seconds=239.5))] == [59, 61]
    assert [n for n, _ in spaced(rows, 60, START + timedelta(seconds=240))] == [59, 61, 239]
    assert [n for n, _ in spaced(rows, 0, START)] == [1, 30, 59, 61, 200, 239]
    assert list(spaced([], 60, START)) == []


def test_the_sites_stores_are_its_folders_and_its_program(tmp_path):
    found = stores([tmp_path], tmp_path / "upload", 60)
    assert [one.name for one in found] == [f"folder {tmp_path}", f"program {tmp_path}/upload"]
    assert [one.every for one in found] == [0, 60]


@pytest.mark.requirement("URS-AUD-007")
def test_an_older_checkpoint_with_more_lines_replaces_its_text_but_never_the_latest(
    ledger, tmp_path
):
    first, second = seal(ledger), seal(ledger)
    place = Outside(tmp_path / "place")
    body = checkpoint.parse_note(first).body
    longer = checkpoint.add_line(first, checkpoint.cosign(body, name="w", key=ledger.key, at=1))
    for note in (first, second, longer):
        place.keep(note)
    assert place.latest() == second
    assert place.all() == [longer, second]
    (day,) = place.folder.glob("*.jsonl")
    with day.open("a") as file:
        file.write(json.dumps(second)[:40])  # a crash in the middle of a line
    assert place.all() == [longer, second]
    assert place.folder.stat().st_mode & 0o077 == 0


@pytest.mark.requirement("URS-AUD-007")
def test_sealer_and_publisher_may_keep_checkpoints_at_the_same_time(ledger, tmp_path):
    place = Outside(tmp_path / "place")
    stated = [checkpoint.Checkpoint("o", n, bytes(32), n, "ab" * 32) for n in range(1, 61)]
    notes = [checkpoint.sign(one, name="o", key=ledger.key) for one in stated]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(place.keep, notes))
    assert place.latest() == notes[-1]
    assert sorted(place.all()) == sorted(notes)
