"""Dated cosignatures (C2SP tlog-cosignature) byte by byte, and keys of each kind."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from audit import checkpoint
from audit.checkpoint import BadCheckpoint
from tests.audit.made_ledger import key_of

ORIGIN, NAME, AT = "ledger.example/site-1", "witness.example/w1", 1_679_315_147
STATED = checkpoint.Checkpoint(ORIGIN, 11, bytes(range(32)), 3, "ab" * 32)
NOTE = checkpoint.sign(STATED, name=ORIGIN, key=key_of("ledger"))
LATTICE = MLDSA44PrivateKey.from_seed_bytes(bytes(range(32)))
KEYS = {4: key_of("witness"), 6: LATTICE}


def content_of(line: str) -> bytes:
    return base64.b64decode(line.split(" ")[2])


@pytest.mark.requirement("URS-AUD-030")
def test_an_ed25519_cosignature_is_over_its_time_and_the_whole_text():
    line = checkpoint.cosign(STATED.body, name=NAME, key=KEYS[4], at=AT)
    raw = KEYS[4].public_key().public_bytes_raw()
    content = content_of(line)
    assert content[:4] == hashlib.sha256(NAME.encode() + b"\n\x04" + raw).digest()[:4]
    assert content[4:12] == AT.to_bytes(8, "big")
    message = f"cosignature/v1\ntime {AT}\n{STATED.body}".encode()
    KEYS[4].public_key().verify(content[12:], message)


@pytest.mark.requirement("URS-AUD-036")
def test_an_ml_dsa_signature_is_over_name_time_origin_size_and_root():
    line = checkpoint.cosign(STATED.body, name=NAME, key=LATTICE, at=AT)
    raw, content = LATTICE.public_key().public_bytes_raw(), content_of(line)
    assert content[:4] == hashlib.sha256(NAME.encode() + b"\n\x06" + raw).digest()[:4]
    name, origin = NAME.encode(), ORIGIN.encode()
    message = (
        b"subtree/v1\n\0"
        + bytes([len(name)])
        + name
        + AT.to_bytes(8, "big")
        + bytes([len(origin)])
        + origin
        + (0).to_bytes(8, "big")
        + (11).to_bytes(8, "big")
        + bytes(range(32))
    )
    assert len(content) == 4 + 8 + 2420
    MLDSA44PublicKey.from_public_bytes(raw).verify(content[12:], message)


@pytest.mark.requirement("URS-AUD-030")
@pytest.mark.parametrize("kind", [4, 6])
def test_a_key_of_each_kind_is_written_and_read_back(kind):
    key = checkpoint.cosigning_key(NAME, KEYS[kind])
    assert checkpoint.parse_vkey(str(key)) == key
    assert base64.b64decode(str(key).split("+", 2)[2])[0] == kind


@pytest.mark.requirement("URS-AUD-030")
@pytest.mark.parametrize("kind", [4, 6])
@pytest.mark.parametrize("place", [4, 11, 12, 40])
def test_one_changed_byte_of_a_cosignature_is_found(kind, place):
    key = checkpoint.cosigning_key(NAME, KEYS[kind])
    line = checkpoint.cosign(STATED.body, name=NAME, key=KEYS[kind], at=AT)
    good = checkpoint.parse_note(checkpoint.add_line(NOTE, line))
    assert checkpoint.signed_at(good, [key]) == [(key, AT)]
    content = bytearray(content_of(line))
    content[place] ^= 1
    bad = f"— {NAME} {base64.b64encode(content).decode()}"
    with pytest.raises(BadCheckpoint, match="does not fit"):
        checkpoint.signers(checkpoint.parse_note(checkpoint.add_line(NOTE, bad)), [key])


@pytest.mark.requirement("URS-AUD-030")
def test_a_cosignature_alone_does_not_make_a_checkpoint_the_ledgers():
    line = checkpoint.cosign(STATED.body, name=NAME, key=KEYS[4], at=AT)
    witness = checkpoint.cosigning_key(NAME, KEYS[4])
    with pytest.raises(BadCheckpoint, match="no known key"):
        checkpoint.verify(checkpoint.add_line(NOTE, line), [witness])


@pytest.mark.requirement("URS-AUD-030")
def test_the_same_key_under_another_kind_is_another_key():
    as_log = checkpoint.public_key(NAME, KEYS[4])
    line = checkpoint.cosign(STATED.body, name=NAME, key=KEYS[4], at=AT)
    note = checkpoint.parse_note(checkpoint.add_line(NOTE, line))
    assert checkpoint.signers(note, [as_log]) == []


@pytest.mark.requirement("URS-AUD-036")
def test_lines_of_keys_of_unknown_kinds_are_passed_over_and_spoiled_ones_are_not():
    raw = b"\x07" + bytes(5)
    unknown = f"future.example+00000000+{base64.b64encode(raw).decode()}"
    known = str(checkpoint.cosigning_key(NAME, KEYS[4]))
    found = checkpoint.parse_vkeys(["# keys", "", unknown, known])
    assert [str(key) for key in found] == [known]
    for spoiled in (known[:-4], known.replace("+", "-", 1), "nonsense", f"{NAME}+00000000+"):
        with pytest.raises(BadCheckpoint):
            checkpoint.parse_vkeys([spoiled])


@pytest.mark.parametrize(
    "body",
    [
        "o\n1\n",
        "\n1\n" + "A" * 43 + "=\n",
        "o\n01\n" + "A" * 43 + "=\n",
        "o\n1\nAAAA\n",
        "o\n1\n" + "A" * 43 + "=\n\nx\n",
    ],
)
def test_a_text_that_is_no_checkpoint_of_any_log_is_refused(body):
    with pytest.raises(BadCheckpoint):
        checkpoint.parse_head(body)


def test_a_foreign_logs_checkpoint_is_read_without_a_block_line():
    root = base64.b64encode(bytes(range(32))).decode()
    assert checkpoint.parse_head(f"o\n7\n{root}\n") == ("o", 7, bytes(range(32)))
    assert checkpoint.parse_head(f"o\n7\n{root}\nanything\n").tree_size == 7


def test_a_key_name_that_no_length_byte_can_tell_is_refused():
    with pytest.raises(BadCheckpoint, match="too long"):
        checkpoint.cosigning_key("w" * 256, Ed25519PrivateKey.generate())
