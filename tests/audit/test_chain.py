"""Blocks: the rules that hold them together, one broken at a time."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from audit import chain, merkle
from audit.canonical import NotCanonical
from audit.chain import Header
from tests.audit.made_ledger import MadeLedger, payload

MADE = MadeLedger()
FIRST, SECOND, THIRD, LAST = MADE.headers
PAYLOADS, ENTRIES = MADE.payloads[4:9], MADE.entries[4:9]
SEALED = b"".join(entry.leaf for entry in ENTRIES)


def flaw_in(payloads=PAYLOADS, entries=ENTRIES, sealed=None, header=THIRD):
    return chain.first_flaw_in_records(header, payloads, entries, sealed)


def test_a_header_is_hashed_as_documented_and_read_back():
    text = FIRST.encode()
    assert FIRST.hash == hashlib.sha256(b"\x02" + text).hexdigest()
    assert Header.decode(text) == FIRST
    assert b'"transaction_from":"1000"' in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"count":1,', b""),
        (b'"count":1,', b'"count":"1",'),
        (b'"count":1,', b'"count":true,'),
        (b'"count":1,', b'"count": 1,'),
        (b'"transaction_from":"1000"', b'"transaction_from":1000'),
        (b'"transaction_from":"1000"', b'"transaction_from":"01000"'),
        (b'"transaction_from":"1000"', b'"transaction_from":"x"'),
        (b'"timeline":1', b'"timeline":null'),
        (b".000000Z", b"Z"),
        (b"2026-01-31", b"2026-02-31"),
        (b"{", b"[{"),
    ],
)
def test_a_header_in_another_form_is_refused(old, new):
    assert old in FIRST.encode()
    with pytest.raises(NotCanonical):
        Header.decode(FIRST.encode().replace(old, new, 1))


@pytest.mark.requirement("URS-AUD-021")
def test_honest_blocks_have_no_flaw():
    before, tree = None, merkle.Tree()
    for header in MADE.headers:
        span = slice(header.first_sequence, header.end)
        payloads, entries = MADE.payloads[span], MADE.entries[span]
        tree.append(entry.leaf for entry in entries)
        assert chain.first_flaw(header, after=before) is None
        sealed = b"".join(entry.leaf for entry in entries)
        assert flaw_in(payloads, entries, sealed, header) is None
        assert chain.flaw_of_tree(header, tree) is None
        before = header


@pytest.mark.requirement("URS-AUD-021")
@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"v": 2}, "format version 2"),
        ({"count": 0}, "holds no record"),
        ({"transaction_below": 1008}, "not below"),
        ({"number": 3}, "number 3 where 2"),
        ({"first_sequence": 5}, "first_sequence 5 where 4"),
        ({"tree_size": 8}, "tree_size 8 where 9"),
        ({"previous": FIRST.hash}, "previous is not the hash of block 1"),
        ({"origin": "x"}, "origin changed"),
        ({"sealed_at": SECOND.sealed_at - timedelta(microseconds=1)}, "sealed before block 1"),
        ({"epoch": 2}, "epoch 2 after epoch 0"),
        ({"transaction_from": 1009}, "do not touch"),
        ({"system_identifier": "1"}, "without a new epoch"),
        ({"timeline": 2}, "without a new epoch"),
    ],
)
def test_a_broken_rule_of_the_chain_is_named(changes, what):
    found = chain.first_flaw(replace(THIRD, **changes), after=SECOND)
    assert found is not None
    assert what in found.what
    assert found.place.startswith("block ")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"previous": "1" * 64}, "64 zeros"),
        ({"epoch": 1}, "opens epoch 1"),
        ({"number": 1}, "number 1 where 0"),
        ({"first_sequence": 1}, "first_sequence 1 where 0"),
    ],
)
def test_the_first_block_starts_from_nothing(changes, what):
    found = chain.first_flaw(replace(FIRST, **changes), after=None)
    assert found is not None
    assert what in found.what


def test_a_new_epoch_may_start_in_another_cluster_at_other_transactions():
    changes = {"epoch": 1, "timeline": 2, "system_identifier": "2"}
    moved = replace(THIRD, **changes, transaction_from=5, transaction_below=9)
    assert chain.first_flaw(moved, after=SECOND) is None


@pytest.mark.requirement("URS-AUD-021")
@pytest.mark.parametrize(
    ("change", "sequence", "what"),
    [
        (lambda found: found.pop(2), 6, "is missing"),
        (lambda found: found.pop(), 8, "is missing"),
        (lambda found: found.reverse(), 4, "is not at the place"),
        (lambda found: found.insert(5, MADE.entries[0]), 9, "was added"),
        (lambda found: found.__setitem__(2, replace(found[2], leaf=bytes(32))), 6, "was changed"),
    ],
)
def test_the_sealed_leaves_name_the_record_that_was_tampered_with(change, sequence, what):
    entries = list(ENTRIES)
    change(entries)
    found = flaw_in(entries=entries, sealed=SEALED)
    assert found is not None
    assert found.place == f"block 2, record with sequence {sequence}"
    assert what in found.what


@pytest.mark.requirement("URS-AUD-021")
def test_a_changed_payload_is_named():
    payloads = [*PAYLOADS[:2], payload(6, reason="another"), *PAYLOADS[3:]]
    assert flaw_in(payloads) == (
        "block 2, record with sequence 6",
        "payload does not match its leaf",
    )


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"sequence": 7}, "is numbered 7"),
        ({"transaction": 1018}, "outside the block's range"),
        ({"transaction": 1007}, "outside the block's range"),
        ({"transaction": 1008}, "not in the order"),
        ({"id": ENTRIES[0].id}, "index_digest does not fit"),
        ({"recorded_at": ENTRIES[0].recorded_at}, "index_digest does not fit"),
    ],
)
def test_changed_facts_of_the_index_are_found(changes, what):
    entries = [*ENTRIES[:2], replace(ENTRIES[2], **changes), *ENTRIES[3:]]
    found = flaw_in(entries=entries)
    assert found is not None
    assert what in found.what


@pytest.mark.parametrize(
    ("payloads", "entries", "what"),
    [
        (PAYLOADS[:-1], ENTRIES, "has 4 records, not 5"),
        (PAYLOADS, ENTRIES[:-1], "has 4 index entries, not 5"),
    ],
)
def test_a_count_that_does_not_fit_is_found_without_sealed_leaves_too(payloads, entries, what):
    assert flaw_in(payloads, entries) == ("block 2", what)


def test_digests_are_the_last_word():
    place = "block 2 (sequences 4 to 8)"
    header = replace(THIRD, records_digest="0" * 64)
    assert flaw_in(header=header) == (place, "records_digest does not fit the payloads")
    header = replace(THIRD, index_digest="0" * 64)
    assert flaw_in(header=header) == (place, "index_digest does not fit the index lines")


def test_a_root_or_size_that_is_not_the_trees_is_found():
    tree = merkle.Tree()
    tree.append(MADE.leaves[:9])
    assert chain.flaw_of_tree(THIRD, tree) is None
    assert "root is not" in chain.flaw_of_tree(replace(THIRD, root="0" * 64), tree).what
    assert "tree_size is 9" in chain.flaw_of_tree(THIRD, merkle.Tree()).what


def test_an_index_line_is_written_as_documented():
    entry = ENTRIES[0]
    line = chain.index_line(
        id=entry.id,
        leaf=entry.leaf,
        recorded_at=entry.recorded_at,
        sequence=4,
        transaction=1008,
    )
    assert line == entry.line
    assert line.decode() == (
        f'{{"id":"{entry.id}","leaf":"{entry.leaf.hex()}",'
        '"recorded_at":"2026-01-31T09:15:04.000017Z","sequence":4,"transaction":"1008"}'
    )


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("ledger.example/1", ("ledger.example/1", 0)),
        ("ledger.example/1/epoch/12", ("ledger.example/1", 12)),
        ("ledger.example/1/epoch/0", ("ledger.example/1/epoch/0", 0)),
        ("ledger.example/1/epoch/01", ("ledger.example/1/epoch/01", 0)),
        ("ledger.example/1/epoch/x", ("ledger.example/1/epoch/x", 0)),
        ("a/epoch/1/epoch/2", ("a/epoch/1", 2)),
    ],
)
def test_the_name_of_a_log_is_read_as_it_is_written_and_no_other_way(log, told):
    assert chain.epoch_of(log) == told
    assert chain.log_of(*told) == log
