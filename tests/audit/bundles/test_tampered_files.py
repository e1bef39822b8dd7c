"""The tamper matrix, continued: checkpoints, keys, files, manifest and selections."""

import re

import pytest

from audit import canonical, verifier
from tests.audit.bundles import tampering
from tests.audit.bundles.tampering import SELECTED, flaw, swap
from tests.audit.made_ledger import BLOB, MadeLedger, bent, key_of

pytestmark = pytest.mark.requirement("URS-AUD-026")

# --- checkpoints and keys ---


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (lambda lines: lines.pop(), "tree_size is not where blocks, checkpoints end"),
        (lambda lines: lines.clear(), "checkpoints.jsonl: holds no checkpoint of these blocks"),
        (lambda lines: lines.reverse(), "tree_size is not where|is not about block"),
        (lambda lines: lines.append(b'"no note"'), "not a signed checkpoint"),
        (lambda lines: lines.insert(0, b"1"), "line 1: not a signed checkpoint"),
    ],
)
def test_missing_moved_or_malformed_checkpoints_are_found(complete, edit, found):
    tampering.edit_lines(complete, "checkpoints.jsonl", edit)
    assert re.search(found, flaw(complete))


def test_a_checkpoint_needs_a_key_of_the_bundle(complete):
    (complete / "keys.txt").write_text(f"{MadeLedger(key=key_of('x')).public}\n")
    tampering.remanifest(complete)
    assert "checkpoint of size 4): is signed by no key of keys.txt" in flaw(complete)


@pytest.mark.parametrize("text", ["", "nonsense\n", "a+00000000+AAAA\n"])
def test_malformed_keys_are_refused(complete, text):
    (complete / "keys.txt").write_text(text)
    tampering.remanifest(complete)
    assert flaw(complete).startswith("FLAW keys.txt")


# --- files ---


@pytest.mark.parametrize("name", ["blobs/", "keys.txt", "index.jsonl", "fields.md"])
@pytest.mark.parametrize("listed", [True, False])
def test_a_missing_file_is_named(complete, name, listed):
    path = next((complete / name).iterdir()) if name.endswith("/") else complete / name
    path.unlink()
    if not listed:
        tampering.remanifest(complete)
    if listed or name in ("keys.txt", "index.jsonl"):
        assert path.name in flaw(complete)
    elif name == "blobs/":
        assert "records.jsonl line 5 (sequence 4): cites blob" in flaw(complete)
    else:
        assert verifier.verify(complete).ok  # a text for readers, no evidence


def test_a_changed_blob_does_not_have_the_digest_of_its_name(complete):
    path = next((complete / "blobs").iterdir())
    path.write_bytes(BLOB + b"x")
    assert "does not have the digest in manifest.json" in flaw(complete)
    tampering.remanifest(complete)
    assert flaw(complete) == f"FLAW blobs/{path.name}: is not named by its digest"


@pytest.mark.parametrize("name", ["notes.txt", "sub/records.jsonl", ".hidden"])
def test_an_added_file_is_named(complete, name):
    (complete / name).parent.mkdir(exist_ok=True)
    (complete / name).write_text("x")
    assert flaw(complete) == f"FLAW {name}: is not listed in manifest.json"
    tampering.remanifest(complete)
    assert flaw(complete) == f"FLAW {name}: has no place in a bundle of this version"


def test_a_link_is_refused(complete, tmp_path):
    (complete / "README.txt").rename(tmp_path / "README.txt")
    (complete / "README.txt").symlink_to(tmp_path / "README.txt")
    assert flaw(complete) == "FLAW README.txt: is missing, or no plain file"


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"bundle": 2}, "bundle is malformed"),
        ({"scope": "partial"}, "scope is malformed"),
        ({"tree_size": 10}, "tree_size is not where"),
        ({"origin": "elsewhere"}, "origin is ledger.example/site-1, but must be elsewhere"),
        ({"files": []}, "files is malformed"),
        ({"extra": 1}, "does not have the members"),
        ({"scope": "selection"}, "proofs.jsonl"),
    ],
)
def test_a_changed_manifest_is_refused(complete, members, found):
    tampering.edit_manifest(complete, **members)
    assert found in flaw(complete)


# --- selections ---


def test_a_selection_is_not_a_complete_copy(selection):
    tampering.edit_manifest(selection, scope="complete")
    assert "manifest.json: a complete bundle has no filters" in flaw(selection)
    tampering.edit_manifest(selection, filters={})
    assert "proofs.jsonl: has no place in a bundle" in flaw(selection)
    (selection / "proofs.jsonl").unlink()
    tampering.remanifest(selection)
    assert "index.jsonl line 1: sequence 0 must stand here" in flaw(selection)


@pytest.mark.parametrize(
    ("name", "edit", "found"),
    [
        ("records.jsonl", lambda lines: lines.pop(1), r"records.jsonl line 2 \(sequence 4\)"),
        ("records.jsonl", swap(0, 1), r"records.jsonl line 1 \(sequence 2\): payload does not"),
        ("proofs.jsonl", lambda lines: lines.pop(1), r"block 2\): has index lines, but no"),
        ("proofs.jsonl", lambda lines: lines.pop(), r"index.jsonl line 9|no record"),
        ("proofs.jsonl", swap(0, 1), r"line 1 \(sequence 4\)|no record, in the bundle"),
        ("index.jsonl", lambda lines: lines.pop(0), r"index.jsonl line 1: sequence 1 must stand"),
        ("index.jsonl", lambda lines: lines.pop(), r"index.jsonl, at its end"),
    ],
)
def test_missing_or_moved_parts_of_a_selection_are_found(selection, name, edit, found):
    tampering.edit_lines(selection, name, edit)
    assert re.search(found, flaw(selection))


@pytest.mark.parametrize("hashes", [lambda h: h[:-1], lambda h: [*h, h[0]], lambda h: h[::-1]])
def test_a_wrong_proof_is_named(selection, hashes):
    proof = canonical.decode(tampering.lines_of(selection, "proofs.jsonl")[1])
    tampering.edit_json(selection, "proofs.jsonl", 1, hashes=hashes(proof["hashes"]))
    assert flaw(selection) == "FLAW proofs.jsonl line 2: does not lead to the root"


def test_a_block_without_a_selected_record_has_no_place_in_a_selection(tmp_path):
    made = MadeLedger()
    shown = list(made.contents(SELECTED).entries)
    folder = made.write(tmp_path / "b", SELECTED, entries=[(None, made.entries[0]), *shown])
    assert "(block 0): has index lines, but no record, in the bundle" in flaw(folder)


def test_all_records_of_a_block_in_a_selection_are_checked_against_its_digest(tmp_path):
    made = bent(3, records_digest="0" * 64)
    assert verifier.verify(made.write(tmp_path / "some", (9,))).ok
    assert "(block 3): records_digest does not fit" in flaw(made.write(tmp_path / "all", (9, 10)))
