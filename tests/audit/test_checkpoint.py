"""Signed notes against published examples, and everything that must be refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import checkpoint
from audit.checkpoint import BadCheckpoint, Checkpoint
from tests.audit.made_ledger import key_of

# Published examples: the documentation of Go's golang.org/x/mod/sumdb/note, and C2SP signed-note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb"
    "6KE6RyyBwJnAM=\n"
)
C2SP_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n"
    "\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKu"
    "wHjG1Yu72IneyaQM=\n"
)
KEY, NAME = key_of("log"), "ledger.example/site-1"
PUBLIC = checkpoint.public_key(NAME, KEY)
STATED = Checkpoint(NAME, 11, bytes(range(32)), 3, "ab" * 32)
NOTE = checkpoint.sign(STATED, name=NAME, key=KEY)


@pytest.mark.requirement("URS-AUD-024")
@pytest.mark.parametrize(("key", "note"), [(GO_KEY, GO_NOTE), (C2SP_KEY, C2SP_NOTE)])
def test_the_published_notes_verify(key, note):
    public = checkpoint.parse_vkey(key)
    assert str(public) == key
    parsed = checkpoint.parse_note(note)
    assert checkpoint.signers(parsed, [public]) == [public]
    assert parsed.text == note


@pytest.mark.requirement("URS-AUD-024")
def test_a_published_note_with_another_text_is_refused():
    false = checkpoint.parse_note(C2SP_NOTE.replace("an example", "no example"))
    with pytest.raises(BadCheckpoint, match="does not fit"):
        checkpoint.signers(false, [checkpoint.parse_vkey(C2SP_KEY)])


def test_a_checkpoint_is_written_line_by_line_as_documented():
    body, _, line = NOTE.rpartition("\n\n")
    assert body == (
        "ledger.example/site-1\n11\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
        f"block 3 {'ab' * 32}"
    )
    assert line.startswith(f"— {NAME} ")


@pytest.mark.requirement("URS-AUD-024")
def test_a_signed_checkpoint_verifies_and_is_read_back():
    assert checkpoint.verify(NOTE, [PUBLIC]) == STATED
    assert checkpoint.parse(NOTE) == STATED


@settings(deadline=None)
@given(
    st.integers(0, 10**15),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 10**15),
    st.binary(min_size=32, max_size=32),
)
def test_every_checkpoint_is_read_back(size, root, block, block_hash):
    stated = Checkpoint("origin with spaces", size, root, block, block_hash.hex())
    note = checkpoint.sign(stated, name=NAME, key=KEY)
    assert checkpoint.verify(note, [PUBLIC]) == stated


@pytest.mark.requirement("URS-AUD-024")
@settings(deadline=None)
@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
def test_no_other_character_can_stand_anywhere(position, character):
    false = NOTE[:position] + character + NOTE[position + 1 :]
    if false == NOTE:
        return
    with pytest.raises(BadCheckpoint):
        checkpoint.verify(false, [PUBLIC])


def test_lines_of_witnesses_pass_through_untouched():
    line = "— witness.example lDkm2AAAAABn5T2aiAf0nsSmPZvgzBCZcTbSyT6LyUCHAxcXtGZ/"
    cosigned = checkpoint.add_line(NOTE, line)
    assert cosigned == f"{NOTE}{line}\n"
    assert checkpoint.verify(cosigned, [PUBLIC]) == STATED
    assert [each.name for each in checkpoint.parse_note(cosigned).signatures][
        1
    ] == "witness.example"


def test_a_line_that_is_no_signature_is_not_added():
    with pytest.raises(BadCheckpoint, match="not a signature line"):
        checkpoint.add_line(NOTE, "cosigned by the witness")


@pytest.mark.requirement("URS-AUD-024")
def test_a_note_of_an_unknown_key_is_refused():
    with pytest.raises(BadCheckpoint, match="no known key"):
        checkpoint.verify(NOTE, [checkpoint.public_key(NAME, key_of("other"))])
    with pytest.raises(BadCheckpoint, match="no known key"):
        checkpoint.verify(NOTE, [])


def test_one_wrong_line_of_a_known_key_spoils_the_note():
    other = key_of("other")
    false = checkpoint.sign_text(
        Checkpoint(NAME, 12, bytes(32), 3, "ab" * 32).body, name="o", key=other
    )
    spoiled = checkpoint.add_line(NOTE, false.rstrip("\n").rpartition("\n")[2])
    assert checkpoint.verify(spoiled, [PUBLIC]) == STATED
    with pytest.raises(BadCheckpoint, match="the signature of o does not fit"):
        checkpoint.verify(spoiled, [PUBLIC, checkpoint.public_key("o", other)])


@pytest.mark.parametrize(
    "body",
    [
        f"o\n011\n{'A' * 43}=\nblock 3 {'ab' * 32}\n",
        f"o\n-1\n{'A' * 43}=\nblock 3 {'ab' * 32}\n",
        f"o\n11\n{'A' * 44}\nblock 3 {'ab' * 32}\n",
        f"o\n11\n{'A' * 42}B=\nblock 3 {'ab' * 32}\n",
        f"o\n11\n{'A' * 43}=\nblock 3 {'AB' * 32}\n",
        f"o\n11\n{'A' * 43}=\n",
        f"o\n11\n{'A' * 43}=\nblock 3 {'ab' * 32}\nmore\n",
        f"\n11\n{'A' * 43}=\nblock 3 {'ab' * 32}\n",
        f"o\x07\n11\n{'A' * 43}=\nblock 3 {'ab' * 32}\n",
        "",
    ],
)
def test_a_body_in_another_form_is_refused(body):
    with pytest.raises(BadCheckpoint):
        checkpoint.parse_body(body)


@pytest.mark.parametrize("origin", ["two\nlines", "", "bell\x07"])
def test_an_origin_that_would_break_the_lines_is_not_signed(origin):
    with pytest.raises(BadCheckpoint):
        checkpoint.sign(Checkpoint(origin, 1, bytes(32), 0, "ab" * 32), name=NAME, key=KEY)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b"])
def test_an_unusable_key_name_is_refused(name):
    with pytest.raises(BadCheckpoint, match="key name"):
        checkpoint.vkey(name, KEY)


@pytest.mark.parametrize(
    "text",
    [
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("c74f20a3", "C74F20A3"),
        GO_KEY.replace("PeterNeumann", "Peter"),
        GO_KEY.replace("ARpc", "Aipc"),
        GO_KEY + "A",
        GO_KEY[:-4],
        "PeterNeumann",
        "",
    ],
)
def test_a_public_key_whose_parts_do_not_fit_is_refused(text):
    with pytest.raises(BadCheckpoint):
        checkpoint.parse_vkey(text)


def test_the_key_id_is_the_published_one():
    public = checkpoint.parse_vkey(C2SP_KEY)
    assert checkpoint.key_id(public.name, public.raw).hex() == "530d903a"
    assert checkpoint.vkey(public.name, Ed25519PublicKey.from_public_bytes(public.raw)) == C2SP_KEY
