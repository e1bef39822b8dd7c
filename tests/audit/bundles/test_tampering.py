"""The tamper matrix: each attack on a bundle is found, and its place is named."""

import re
import shutil
from dataclasses import replace
from datetime import timedelta

import pytest

from audit import chain, merkle, verifier
from tests.audit.bundles import tampering
from tests.audit.bundles.tampering import SELECTED, flaw, swap
from tests.audit.made_ledger import KEY, MadeLedger, bent, key_of, payload

pytestmark = pytest.mark.requirement("URS-AUD-026")


# --- one flipped bit anywhere ---


@pytest.mark.parametrize("scope", ["complete", "selection"])
def test_one_flipped_bit_in_any_file_is_found(honest, scope, tmp_path):
    names = [p.relative_to(honest / scope) for p in (honest / scope).rglob("*") if p.is_file()]
    assert len(names) >= 11
    folder = shutil.copytree(honest / scope, tmp_path / scope)
    for name in names:
        size = (folder / name).stat().st_size
        for turn, position in enumerate({*range(0, size, max(1, size // 12)), size - 1}):
            tampering.flip(folder / name, position, turn % 8)
            result = verifier.verify(folder)
            tampering.flip(folder / name, position, turn % 8)
            assert not result.ok, f"{name}, byte {position}"
    assert verifier.verify(folder).ok


EVIDENCE = ["records.jsonl", "index.jsonl", "blocks.jsonl", "checkpoints.jsonl", "keys.txt"]
FLIPS = [("complete", name) for name in EVIDENCE] + [
    ("selection", name) for name in [*EVIDENCE, "proofs.jsonl"]
]


@pytest.mark.parametrize(("scope", "name"), FLIPS)
def test_one_flipped_bit_in_the_evidence_is_found_though_the_manifest_fits(
    honest, scope, name, tmp_path
):
    folder = shutil.copytree(honest / scope, tmp_path / scope)
    intact = (folder / name).read_bytes()
    for turn, position in enumerate(range(0, len(intact), max(1, len(intact) // 60))):
        tampering.flip(folder / name, position, turn % 8)
        tampering.remanifest(folder)
        found = flaw(folder)
        assert "manifest" not in found, f"{name}, byte {position}: {found}"
        (folder / name).write_bytes(intact)


# --- records ---


LINE_6 = r"FLAW records.jsonl line 6 \(sequence 5\): payload does not match its leaf"


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (lambda lines: lines.__setitem__(5, lines[5].replace(b"S-5", b"S-6")), LINE_6),
        (lambda lines: lines.pop(5), LINE_6),
        (lambda lines: lines.insert(5, lines[4]), LINE_6),
        (lambda lines: lines.insert(5, payload(99)), LINE_6),
        (swap(5, 6), LINE_6),
        (lambda lines: lines.reverse(), r"line 1 \(sequence 0\): payload does not match"),
        (lambda lines: lines.pop(), r"at its end: .* the record with sequence 10 is missing"),
        (lambda lines: lines.append(lines[0]), r"records.jsonl line 12: belongs to no block"),
        (lambda lines: lines.clear(), r"at its end: .* the record with sequence 0 is missing"),
        (lambda lines: lines.__setitem__(5, b" " + lines[5]), r"line 6: JSON, but not in canon"),
        (lambda lines: lines.__setitem__(5, lines[5][:-1]), r"line 6: not canonical JSON"),
        (lambda lines: lines.__setitem__(5, b""), r"records.jsonl line 6: not canonical JSON"),
        (lambda lines: lines.__setitem__(5, b"[]"), r"line 6: does not have the members"),
    ],
)
def test_a_changed_missing_added_or_moved_record_is_named(complete, edit, found):
    tampering.edit_lines(complete, "records.jsonl", edit)
    assert re.search(found, flaw(complete))


def test_a_file_whose_last_newline_is_missing_is_refused(complete):
    path = complete / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    tampering.remanifest(complete)
    assert "records.jsonl line 11: the line is cut" in flaw(complete)


def test_a_record_that_is_gone_from_records_and_index_is_named(complete):
    for name in ("records.jsonl", "index.jsonl"):
        tampering.edit_lines(complete, name, lambda lines: lines.pop(5))
    assert "index.jsonl line 6: sequence 5 must stand here" in flaw(complete)


def test_renumbering_after_a_deletion_is_found(complete):
    for name in ("records.jsonl", "index.jsonl"):
        tampering.edit_lines(complete, name, lambda lines: lines.pop(5))
    for position in range(5, 10):
        tampering.edit_json(complete, "index.jsonl", position, sequence=position)
    assert "transaction is outside its block's range" in flaw(complete)


def forge(folder, position, content):
    """Put another payload and its true leaf."""
    lines = tampering.lines_of(folder, "records.jsonl")
    lines[position] = content
    tampering.put_lines(folder, "records.jsonl", lines)
    tampering.edit_json(folder, "index.jsonl", position, leaf=merkle.leaf_hash(content))


def test_a_forged_record_with_its_leaf_breaks_the_block(complete):
    forge(complete, 5, payload(77))
    assert "blocks.jsonl line 3 (block 2): index_digest does not fit" in flaw(complete)


def test_a_forged_record_with_its_block_breaks_the_root(complete):
    forge(complete, 5, payload(77))
    records = tampering.lines_of(complete, "records.jsonl")[4:9]
    index = tampering.lines_of(complete, "index.jsonl")[4:9]
    tampering.edit_json(
        complete,
        "blocks.jsonl",
        2,
        records_digest=chain.records_digest(records),
        index_digest=chain.index_digest(index),
    )
    assert "(block 2): root is not that of the leaves so far" in flaw(complete)


# --- the chain rewritten ---


def rewritten(key=KEY, **changes):
    """The ledger with one record changed, and everything after it made to fit."""
    payloads = list(MadeLedger().payloads)
    payloads[5] = payload(5, reason="never happened")
    return MadeLedger(payloads=payloads, key=key, **changes)


def test_a_chain_rewritten_without_the_key_contradicts_its_checkpoints(tmp_path):
    folder = rewritten().write(tmp_path / "b", checkpoints=MadeLedger().notes)
    found = "FLAW checkpoints.jsonl line 2 (checkpoint of size 11): is not about block 3"
    assert flaw(folder) == found


def test_old_signatures_do_not_fit_rewritten_checkpoints(tmp_path):
    false = rewritten()
    notes = [
        new.rpartition("\n\n")[0] + "\n\n" + old.rpartition("\n\n")[2]
        for new, old in zip(false.notes, MadeLedger().notes, strict=True)
    ]
    folder = false.write(tmp_path / "b", checkpoints=notes)
    assert "checkpoints.jsonl line 2 (checkpoint of size 11): the signature of" in flaw(folder)


def test_a_chain_rewritten_with_another_key_is_consistent_but_proves_no_origin(tmp_path, trust):
    folder = rewritten(key=key_of("another key")).write(tmp_path / "b")
    assert verifier.verify(folder).text.endswith("consistent, origin not proved")
    assert "checkpoints.jsonl line 2 (checkpoint of size 11): no trusted key" in flaw(folder, trust)


def test_another_key_is_not_believed_because_the_true_one_lies_beside_it(tmp_path):
    false = rewritten(key=key_of("another key"))
    folder = false.write(tmp_path / "b", keys=[MadeLedger().public, false.public])
    assert verifier.verify(folder).ok
    trusted = tmp_path / "checkpoint"
    trusted.write_text(MadeLedger().notes[0])
    assert "no trusted key signed it" in flaw(folder, trusted)


def test_a_false_history_contradicts_an_earlier_checkpoint(tmp_path):
    trusted = tmp_path / "checkpoint"
    trusted.write_text(MadeLedger().notes[1])
    false = rewritten()  # by someone who has the key
    for scope, selected in (("complete", None), ("selection", SELECTED)):
        found = flaw(false.write(tmp_path / scope, selected), trusted)
        assert "trusted, but not a prefix of this ledger" in found


def test_an_older_copy_is_shorter_than_a_trusted_checkpoint(tmp_path):
    folder = MadeLedger(sizes=(1, 3)).write(tmp_path / "b")
    assert verifier.verify(folder).ok
    trusted = tmp_path / "checkpoint"
    trusted.write_text(MadeLedger().notes[1])
    assert "the bundle ends before it: records were cut off" in flaw(folder, trusted)


# --- blocks ---


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("origin", "ledger.example/site-2"),
        ("epoch", 1),
        ("epoch", 7),
        ("system_identifier", "1"),
        ("timeline", 2),
        ("number", 3),
        ("first_sequence", 5),
        ("count", 4),
        ("count", 0),
        ("transaction_from", "1009"),
        ("transaction_below", "1017"),
        ("transaction_below", "01018"),
        ("records_digest", "0" * 64),
        ("index_digest", "0" * 64),
        ("previous", "0" * 64),
        ("tree_size", 8),
        ("root", "0" * 64),
        ("root", "0" * 63),
        ("sealed_at", "2026-01-31T09:15:00.000000Z"),
        ("sealed_at", "yesterday"),
        ("v", 2),
        ("v", True),
        ("extra", 1),
    ],
)
def test_a_changed_header_is_found_at_its_block_or_the_next(complete, member, value):
    tampering.edit_json(complete, "blocks.jsonl", 2, **{member: value})
    found = flaw(complete)
    places = ("blocks.jsonl line 3", "blocks.jsonl line 4", "index.jsonl", "records.jsonl line 5")
    assert found.startswith(tuple(f"FLAW {place}" for place in places))


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (lambda lines: lines.pop(2), "blocks.jsonl line 3 (block 3): number is 3, but must be 2"),
        (lambda lines: lines.pop(), "index.jsonl line 10: belongs to no block"),
        (lambda lines: lines.pop(0), "blocks.jsonl line 1 (block 1): number is 1, but must be 0"),
        (lambda lines: lines.insert(2, lines[1]), "(block 1): number is 1, but must be 2"),
        (swap(1, 2), "blocks.jsonl line 2 (block 2): number is 2, but must be 1"),
    ],
)
def test_a_missing_added_or_moved_block_is_named(complete, edit, found):
    tampering.edit_lines(complete, "blocks.jsonl", edit)
    assert found in flaw(complete).replace("records.jsonl line 10", "index.jsonl line 10")


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"sealed_at": bent(9).headers[0].sealed_at - timedelta(hours=1)}, "is sealed before"),
        ({"transaction_from": 1010}, "transaction_from is 1010, but must be 1008"),
        ({"transaction_below": 1012}, "outside its block's range"),
        ({"system_identifier": "1"}, "system_identifier is 1, but must be"),
        ({"timeline": 2}, "timeline is 2, but must be 1"),
        ({"epoch": 1, "timeline": 2}, "opens epoch 1, but holds no fork record"),
        ({"epoch": 2}, "epoch is 2, but must be 0"),
        ({"records_digest": "0" * 64}, "records_digest does not fit"),
        ({"tree_size": 10}, "tree_size is 10, but must be 9"),
        ({"previous": "0" * 64}, "previous is 0000"),
        ({"origin": "elsewhere"}, "origin is elsewhere"),
    ],
)
def test_a_sealer_that_breaks_the_rules_is_found_though_it_signs(tmp_path, changes, found):
    text = flaw(bent(2, **changes).write(tmp_path / "b"))
    assert found in text
    assert "(block 2)" in text or "index.jsonl line 7" in text or "line 5 (sequence 4)" in text


def test_a_first_block_that_claims_a_later_epoch_is_refused(tmp_path):
    assert "epoch is 1, but must be 0" in flaw(bent(0, epoch=1).write(tmp_path / "b"))


@pytest.mark.parametrize("fork_at", [0, 2, 4])
def test_the_block_that_opens_an_epoch_holds_a_fork_record_at_any_place(tmp_path, fork_at):
    made = MadeLedger(fork_before=2, fork_at=fork_at)
    result = verifier.verify(made.write(tmp_path / "good"))
    assert (result.ok, result.facts["epochs"]) == (True, 2), result.text
    assert verifier.verify(made.write(tmp_path / "part", SELECTED)).ok


def test_an_epoch_without_a_fork_record_is_found(tmp_path):
    bad = MadeLedger(fork_before=2, fork_kind="audit.ledger.checked")
    found = "blocks.jsonl line 3 (block 2): opens epoch 1, but holds no fork record"
    assert flaw(bad.write(tmp_path / "bad")) == f"FLAW {found}"
    assert flaw(bad.write(tmp_path / "part", range(4, 9))) == f"FLAW {found}"


@pytest.mark.parametrize(("forks", "line"), [({4, 7}, 8), ({4, 10}, 11), ({4, 0}, 1)])
def test_a_second_fork_record_is_found(tmp_path, forks, line):
    payloads = list(MadeLedger().payloads)
    for sequence in forks:
        payloads[sequence] = payload(sequence, kind=chain.FORK_KIND, stream="ledger")
    made = MadeLedger(payloads=payloads, fork_before=2)
    found = f"FLAW records.jsonl line {line} (sequence {line - 1}): is a fork record, but opens no"
    assert flaw(made.write(tmp_path / "b")).startswith(found)
    assert "is a fork record, but opens no" in flaw(made.write(tmp_path / "part", forks))


class Misordered(MadeLedger):
    """A sealer that puts a later transaction first."""

    def _entry(self, sequence):
        entry = super()._entry(sequence)
        return replace(entry, transaction=1013) if sequence == 5 else entry


def test_records_out_of_their_order_are_found_though_the_sealer_signs(tmp_path):
    found = flaw(Misordered().write(tmp_path / "b"))
    assert found == "FLAW index.jsonl line 7: is not in the order of (transaction, id)"


def test_a_range_without_transactions_is_found_in_blocks_that_are_not_shown(tmp_path):
    folder = bent(3, transaction_below=1018).write(tmp_path / "b", (2,))
    assert "(block 3): transaction_below is not above transaction_from" in flaw(folder)
