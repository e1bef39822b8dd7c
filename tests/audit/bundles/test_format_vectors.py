"""The frozen vectors of format version 1, held to the RFCs with little code of ours."""

import base64
import hashlib
import json
import struct
from pathlib import Path

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit import canonical, chain, checkpoint, merkle
from tests.audit import vectors_made

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
pytestmark = pytest.mark.requirement("URS-AUD-066")


def frozen(name: str):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", vectors_made.TEXTS)
def test_the_writers_of_today_give_the_frozen_texts(name):
    made = vectors_made.as_text(vectors_made.TEXTS[name]())
    assert made == (VECTORS / name).read_text(encoding="utf-8")


def test_the_fork_bundle_is_what_the_writers_of_today_give(tmp_path):
    vectors_made.forked().write(tmp_path / "fork", verifier=None)
    for path in sorted((VECTORS / "fork").glob("*.jsonl")):
        assert (tmp_path / "fork" / path.name).read_bytes() == path.read_bytes(), path.name


def test_canonical_texts_are_those_of_rfc_8785_and_others_are_refused():
    told = frozen("canonical.json")
    for one in told["canonical"]:
        text = one["text"].encode()
        assert rfc8785.dumps(json.loads(text)) == text, one["name"]
        assert canonical.encode(canonical.decode(text)) == text, one["name"]
        assert hashlib.sha256(text).hexdigest() == one["sha256"]
    for one in told["refused"]:
        with pytest.raises(canonical.NotCanonical):
            canonical.decode(one["text"].encode())


def test_blocks_are_made_of_their_lines():
    previous = "0" * 64
    for block in frozen("blocks.json"):
        header = json.loads(block["header"])
        joined = "".join(f"{line}\n" for line in block["payloads"]).encode()
        index = "".join(f"{line}\n" for line in block["index_lines"]).encode()
        leaves = [hashlib.sha256(b"\0" + text.encode()).hexdigest() for text in block["payloads"]]
        assert leaves == block["leaves"]
        assert [json.loads(line)["leaf"] for line in block["index_lines"]] == leaves
        assert header["records_digest"] == hashlib.sha256(joined).hexdigest()
        assert header["index_digest"] == hashlib.sha256(index).hexdigest()
        assert header["previous"] == previous
        previous = hashlib.sha256(b"\2" + block["header"].encode()).hexdigest()
        assert block["hash"] == previous


def simple_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    left = 1
    while left * 2 < len(leaves):
        left *= 2
    inner = simple_root(leaves[:left]) + simple_root(leaves[left:])
    return hashlib.sha256(b"\1" + inner).digest()


def test_roots_and_proofs_of_trees_are_those_of_rfc_6962():
    trees = {tree["size"]: tree for tree in frozen("tree.json")}
    assert list(trees) == vectors_made.SIZES
    for size, tree in trees.items():
        leaves = [hashlib.sha256(b"\0" + str(n).encode()).digest() for n in range(size)]
        root = simple_root(leaves)
        assert tree["root"] == root.hex()
        for n, proof in tree["inclusion"].items():
            hashes = [bytes.fromhex(one) for one in proof]
            index = int(n)
            assert merkle.verify_inclusion(
                leaves[index], index=index, size=size, proof=hashes, root=root
            )
        for n, proof in tree["consistency"].items():
            hashes = [bytes.fromhex(one) for one in proof]
            assert merkle.verify_consistency(
                first=int(n),
                second=size,
                proof=hashes,
                first_root=simple_root(leaves[: int(n)]),
                second_root=root,
            )


def lines_of(note: str) -> list[tuple[str, bytes]]:
    lines = note.split("\n\n")[1].rstrip("\n").split("\n")
    return [(line.split(" ")[1], base64.b64decode(line.split(" ")[2])) for line in lines]


def key_in(text: str) -> tuple[bytes, Ed25519PublicKey]:
    content = base64.b64decode(text.split("+", 2)[2])
    identity = hashlib.sha256(text.split("+")[0].encode() + b"\n" + content).digest()[:4]
    assert identity.hex() == text.split("+")[1]
    return identity, Ed25519PublicKey.from_public_bytes(content[1:])


def test_a_checkpoint_its_cosignature_and_its_turning_key_are_signed_as_told():
    told = frozen("checkpoints.json")
    body = told["plain"].split("\n\n")[0] + "\n"
    for note, names in (("plain", ["ledger"]), ("turning", ["ledger", "next"])):
        found = {content[:4]: content[4:] for _, content in lines_of(told[note])}
        for name in names:
            identity, key = key_in(told["keys"][name])
            key.verify(found[identity], body.encode())
    identity, key = key_in(told["keys"]["witness"])
    content = lines_of(told["cosigned"])[1][1]
    time = struct.unpack(">Q", content[4:12])[0]
    assert (content[:4], time) == (identity, told["cosigned_at"])
    message = f"cosignature/v1\ntime {time}\n{body}".encode()
    key.verify(content[12:], message)
    with pytest.raises(InvalidSignature):
        key.verify(lines_of(told["wrong_cosignature"])[1][1][12:], message)
    with pytest.raises(checkpoint.BadCheckpoint):
        checkpoint.verify(told["wrong_signature"], [checkpoint.parse_vkey(told["keys"]["ledger"])])


def test_the_fork_bundle_opens_one_epoch_with_one_record_and_names_it_in_its_checkpoint():
    headers = [json.loads(line) for line in (VECTORS / "fork" / "blocks.jsonl").open()]
    assert [header["epoch"] for header in headers] == [0, 0, 1, 1]
    assert headers[2]["count"] == 1
    records = [json.loads(line) for line in (VECTORS / "fork" / "records.jsonl").open()]
    assert records[headers[2]["first_sequence"]]["kind"] == "audit.ledger.forked"
    notes = [json.loads(line) for line in (VECTORS / "fork" / "checkpoints.jsonl").open()]
    origin = headers[0]["origin"]
    assert [note.split("\n")[0] for note in notes] == [origin, f"{origin}/epoch/1"]
    keys = [checkpoint.parse_vkey((VECTORS / "fork" / "keys.txt").read_text().rstrip())]
    for note in notes:
        checkpoint.verify(note, keys)


def test_a_version_that_is_not_known_is_named_and_the_first_stays_readable(monkeypatch):
    text = frozen("blocks.json")[0]["header"].encode()
    newer = text.replace(b'"v":1', b'"v":2')
    with pytest.raises(canonical.NotCanonical, match="version 2 is not known"):
        chain.read_header(newer)
    monkeypatch.setitem(chain.READERS, 2, lambda text: chain.Header.decode(text))
    assert chain.read_header(newer).v == 2
    assert chain.read_header(text).v == 1


@pytest.mark.parametrize("version", ["true", "null", '"1"', "1000000"])
def test_a_header_whose_version_is_no_known_number_is_refused(version):
    text = frozen("blocks.json")[0]["header"].replace('"v":1', f'"v":{version}')
    with pytest.raises(canonical.NotCanonical, match="is not known"):
        chain.read_header(text.encode())
