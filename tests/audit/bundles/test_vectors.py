"""Frozen vectors of format version 1: what was once written must verify for ever.

``tests/audit/vectors`` holds two small bundles and ``hashes.json``, so that another verifier can
be tested. They are made by this module's ``write_vectors`` and never made again: a format that
gives other bytes is another version.
"""

import hashlib
import json
from pathlib import Path

import pytest

from audit import chain, checkpoint, merkle, verifier
from tests.audit.bundles.tampering import lines_of
from tests.audit.made_ledger import MadeLedger

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
SELECTED = {2, 4, 9}
EVIDENCE = ["records.jsonl", "index.jsonl", "blocks.jsonl", "checkpoints.jsonl", "keys.txt"]


def hashes(made: MadeLedger) -> dict[str, object]:
    """Every hash of the vectors, computed from the records up."""
    fetch = merkle.fetch_from_leaves(made.leaves)
    size = made.tree.size
    return {
        "leaves": [leaf.hex() for leaf in made.leaves],
        "roots": [merkle.root(made.leaves[:count]).hex() for count in range(size + 1)],
        "blocks": [header.hash for header in made.headers],
        "key_id": made.public.key_id.hex(),
        "inclusion": {
            str(i): [hash.hex() for hash in merkle.inclusion_proof(i, size, fetch)]
            for i in range(size)
        },
        "consistency": {
            str(i): [hash.hex() for hash in merkle.consistency_proof(i, size, fetch)]
            for i in range(1, size)
        },
    }


def write_vectors(folder: Path) -> None:
    made = MadeLedger()
    made.write(folder / "complete", verifier=None)
    made.write(folder / "selection", SELECTED, verifier=None)
    text = json.dumps(hashes(made), indent=1, sort_keys=True)
    (folder / "hashes.json").write_text(text + "\n")


@pytest.mark.requirement("URS-AUD-020")
@pytest.mark.requirement("URS-AUD-025")
@pytest.mark.parametrize("scope", ["complete", "selection"])
def test_the_frozen_bundles_verify(scope):
    result = verifier.verify(VECTORS / scope, VECTORS / scope / "keys.txt")
    assert result.ok, result.text
    assert result.facts["proved_by"] == ["ledger.example/site-1"]


def test_the_frozen_hashes_are_those_of_the_frozen_records():
    frozen = json.loads((VECTORS / "hashes.json").read_text())
    payloads = lines_of(VECTORS / "complete", "records.jsonl")
    leaves = [hashlib.sha256(b"\x00" + payload).digest() for payload in payloads]
    headers = lines_of(VECTORS / "complete", "blocks.jsonl")
    assert frozen["leaves"] == [leaf.hex() for leaf in leaves]
    assert frozen["blocks"] == [chain.header_hash(header) for header in headers]
    assert frozen["roots"][-1] == merkle.root(leaves).hex()
    assert chain.Header.decode(headers[-1]).root == frozen["roots"][-1]
    key = checkpoint.parse_vkey((VECTORS / "complete" / "keys.txt").read_text().rstrip())
    assert frozen["key_id"] == key.key_id.hex()


@pytest.mark.requirement("URS-AUD-020")
@pytest.mark.requirement("URS-AUD-021")
def test_the_writers_of_today_give_the_frozen_bytes(tmp_path):
    write_vectors(tmp_path)
    for scope in ("complete", "selection"):
        for name in EVIDENCE + (["proofs.jsonl"] if scope == "selection" else []):
            now = (tmp_path / scope / name).read_bytes()
            assert now == (VECTORS / scope / name).read_bytes(), name
    assert (tmp_path / "hashes.json").read_text() == (VECTORS / "hashes.json").read_text()
