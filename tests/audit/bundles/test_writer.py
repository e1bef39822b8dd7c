"""The bundle writer: what lies in the folder, and that it appears whole or not at all."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from audit import bundles, canonical, verifier
from audit.bundles import BundleRefused
from tests.audit.bundles.tampering import lines_of
from tests.audit.made_ledger import BLOB, START, MadeLedger


@pytest.mark.requirement("URS-AUD-027")
def test_the_records_are_byte_for_byte_what_was_hashed(complete):
    made = MadeLedger()
    assert lines_of(complete, "records.jsonl") == made.payloads
    assert lines_of(complete, "index.jsonl") == [entry.line for entry in made.entries]
    assert lines_of(complete, "blocks.jsonl") == [header.encode() for header in made.headers]
    notes = [canonical.decode(line) for line in lines_of(complete, "checkpoints.jsonl")]
    assert notes == made.notes
    assert (complete / "keys.txt").read_text() == f"{made.public}\n"
    assert (complete / "blobs" / hashlib.sha256(BLOB).hexdigest()).read_bytes() == BLOB


@pytest.mark.requirement("URS-AUD-027")
def test_the_manifest_lists_every_other_file(complete):
    manifest = canonical.decode((complete / "manifest.json").read_bytes())
    found = {
        path.relative_to(complete).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in complete.rglob("*")
        if path.is_file() and not path.name.startswith("manifest.")
    }
    assert manifest.pop("files") == found
    assert manifest == {
        "bundle": 1,
        "created_at": "2026-02-01T09:15:00.000000Z",
        "filters": {},
        "origin": "ledger.example/site-1",
        "scope": "complete",
        "software": "pharma-digital-twin 0.1.0",
        "tree_size": 11,
    }
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c", "manifest.sha256"], cwd=complete, check=False
    )
    assert checked.returncode == 0


def test_the_verifier_in_the_bundle_is_the_one_in_use(complete):
    assert (complete / "verifier.py").read_bytes() == Path(verifier.__file__).read_bytes()


def test_the_readme_says_how_to_check_and_which_key_is_claimed(complete, selection):
    text = (complete / "README.txt").read_text()
    assert "python verifier.py FOLDER --trust FILE" in text
    assert str(MadeLedger().public) in text
    assert "$" not in text
    assert "A selection copy" in (selection / "README.txt").read_text()


def test_the_field_dictionary_names_every_field(complete):
    text = (complete / "fields.md").read_text()
    for name in ("records.jsonl", "index.jsonl", "blocks.jsonl"):
        for field in canonical.decode(lines_of(complete, name)[0]):
            assert f"`{field}" in text, field


def test_the_digest_of_the_manifest_is_returned(tmp_path):
    digest = bundles.write(tmp_path / "b", MadeLedger().contents())
    raw = (tmp_path / "b" / "manifest.json").read_bytes()
    assert digest == hashlib.sha256(raw).hexdigest()


def test_a_bundle_can_leave_the_verifier_out(tmp_path):
    folder = MadeLedger().write(tmp_path / "b", verifier=None)
    assert not (folder / "verifier.py").exists()
    assert verifier.verify(folder).ok


@pytest.mark.parametrize("is_empty", [True, False])
def test_an_existing_folder_is_not_touched(tmp_path, is_empty):
    folder = tmp_path / "b"
    folder.mkdir()
    if not is_empty:
        (folder / "mine.txt").write_text("mine")
    with pytest.raises(BundleRefused, match="exists"):
        bundles.write(folder, MadeLedger().contents())
    assert [path.name for path in folder.iterdir()] == ([] if is_empty else ["mine.txt"])


@pytest.mark.requirement("URS-AUD-027")
def test_a_writer_that_fails_midway_leaves_nothing_behind(tmp_path):
    made = MadeLedger()

    def entries():
        yield from list(made.contents().entries)[:3]
        raise OSError("the database went away")

    with pytest.raises(OSError, match="went away"):
        made.write(tmp_path / "b", entries=entries())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("selected", "changes", "what"),
    [
        (None, {"checkpoints": []}, "no checkpoint"),
        (None, {"filters": {"stream": "people"}}, "no filters"),
        (None, {"entries": [(None, MadeLedger().entries[0])]}, "lacks the record 0"),
        (None, {"blobs": [("../../etc/passwd", [b"x"])]}, "names no blob"),
        (None, {"blobs": [("a" * 64, [b"x"])] * 2}, "given twice"),
        (None, {"extras": [("../escape", [b"x"])]}, "has no place"),
        (None, {"extras": [("copies/../../escape", [b"x"])]}, "has no place"),
        (None, {"extras": [("keys.txt", [b"x"])]}, "has no place"),
        ((1,), {"extras": [("copies/.hidden", [b"x"])]}, "has no place"),
    ],
)
def test_contents_that_make_no_bundle_are_refused(tmp_path, selected, changes, what):
    with pytest.raises(BundleRefused, match=what):
        MadeLedger().write(tmp_path / "b", selected, **changes)
    assert list(tmp_path.iterdir()) == []


def test_a_naive_time_is_refused(tmp_path):
    with pytest.raises(canonical.NotCanonical, match="time zone"):
        MadeLedger().write(tmp_path / "b", created_at=START.replace(tzinfo=None))
    assert list(tmp_path.iterdir()) == []
