"""The offline verifier on honest bundles, its own Ed25519, and how it is called."""

import ast
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import canonical, checkpoint, verifier
from tests.audit.bundles import tampering
from tests.audit.bundles.tampering import SELECTED, flaw
from tests.audit.made_ledger import MadeLedger, key_of, payload

SOURCE = Path(verifier.__file__)
# RFC 8032, section 7.1: public key, message, signature of tests 1, 2, 3 and SHA(abc).
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
        "cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
        "0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
        "84dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66"
        "431e0303dca179c138ac17ad9bef1177331a704",
    ),
]
L = 2**252 + 27742317777372353535851937790883648493
P = 2**255 - 19
SECRETS = st.binary(min_size=32, max_size=32)


@pytest.mark.requirement("URS-AUD-025")
def test_honest_bundles_are_accepted(complete, selection, trust):
    whole = verifier.verify(complete, trust)
    assert whole.text == (
        "complete: 11 records, 4 blocks, tree size 11: origin proved by key ledger.example/site-1"
    )
    part = verifier.verify(selection)
    assert part.text == (
        "selection: 3 records, 4 blocks, tree size 11: consistent, origin not proved"
    )
    assert part.facts["proved_by"] == []


@pytest.mark.requirement("URS-AUD-025")
@pytest.mark.parametrize("sizes", [(1,), (2,), (7,), (1,) * 9, (300, 1, 211), (5, 3, 8, 1, 1, 30)])
def test_ledgers_of_any_shape_are_accepted_whole_and_in_parts(tmp_path, sizes):
    made = MadeLedger(sizes=sizes, checkpointed=range(len(sizes)))
    total = sum(sizes)
    assert verifier.verify(made.write(tmp_path / "all")).facts["records"] == total
    for number, selected in enumerate([{0}, {total - 1}, set(range(0, total, 3)), set()]):
        result = verifier.verify(made.write(tmp_path / str(number), selected))
        assert (result.ok, result.facts["records"]) == (True, len(selected)), result.text


def test_a_trusted_note_or_file_of_checkpoints_proves_the_origin(complete, selection, tmp_path):
    notes = MadeLedger().notes
    texts = [notes[0], notes[1], "".join(f"{json.dumps(n, ensure_ascii=False)}\n" for n in notes)]
    for text in texts:
        (tmp_path / "trust").write_text(text)
        for folder in (complete, selection):
            result = verifier.verify(folder, tmp_path / "trust")
            assert result.facts["proved_by"] == ["ledger.example/site-1"], result.text


def test_lines_of_witnesses_are_passed_over(tmp_path):
    made = MadeLedger()
    witness = checkpoint.sign_text("cosigned\n", name="witness.example", key=key_of("witness"))
    line = witness.rstrip("\n").rpartition("\n")[2]
    made.notes = [checkpoint.add_line(note, line) for note in made.notes]
    assert verifier.verify(made.write(tmp_path / "b")).ok


def test_copies_and_tokens_are_named_as_not_judged(tmp_path):
    extras = [("copies/trail.csv", [b"x\n"]), ("tokens/1.tsr", [b"\x30"])]
    result = verifier.verify(MadeLedger().write(tmp_path / "b", extras=extras))
    assert result.facts["not_judged"] == ["copies/trail.csv", "tokens/1.tsr"]
    assert "content not judged: copies/trail.csv" in result.text


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"a":1.5}', "not canonical JSON"),
        (b'{"a":NaN}', "not canonical JSON"),
        (b'{"a":9007199254740992}', "beyond 2^53"),
        (b'{"a":-0}', "not in canonical form"),
        (b'{"a":1,"a":1}', "not in canonical form"),
        (b'{"b":1,"a":1}', "not in canonical form"),
        (b'{"a": 1}', "not in canonical form"),
        (b'"\\ud800"', "not in canonical form"),
        (b'"\\u00e9"', "not in canonical form"),
        (b'{"\xee\x80\x80":1}', r"from U\+D800 on"),
        (b'{"a":{"x\xf0\x9f\xa7\xaay\\"z":1}}', r"from U\+D800 on"),
        (b"[" * 65 + b"]" * 65, "nested deeper than 64 levels"),
        (b'"\xff"', "not canonical JSON"),
        (b"[" * 5000, "not canonical JSON"),
        (b"", "not canonical JSON"),
    ],
)
def test_the_verifier_reads_canonical_text_alone(line, found):
    with pytest.raises(verifier.Flaw, match=found.replace("^", r"\^")):
        verifier.read_canonical(line, "line 1")


def test_high_characters_are_refused_in_names_alone():
    line = '{"a":"\\"\U0001f9ea\\":","b":["\ue000",":"]}'.encode()
    assert verifier.read_canonical(line, "line 1")["a"] == '"\U0001f9ea":'


@pytest.mark.requirement("URS-AUD-020")
@settings(deadline=None)
@given(st.text(), st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER))
def test_writer_and_verifier_agree_on_canonical_text(text, integer):
    value = {"changes": [text.encode("utf-8", "replace").decode(), integer], "x": None}
    assert verifier.read_canonical(canonical.encode(value), "line 1") == value


# --- Ed25519 ---


@pytest.mark.requirement("URS-AUD-025")
@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032_verify(public, message, signature):
    facts = [bytes.fromhex(text) for text in (public, message, signature)]
    assert verifier.ed25519_is_valid(*facts)
    assert not verifier.ed25519_is_valid(facts[0], facts[1] + b"x", facts[2])


@settings(deadline=None)
@given(SECRETS, st.binary(max_size=200), st.integers(0, 511))
def test_verification_agrees_with_the_cryptography_package(secret, message, bit):
    key = Ed25519PrivateKey.from_private_bytes(secret)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert verifier.ed25519_is_valid(public, message, signature)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidSignature):
        key.public_key().verify(bytes(flipped), message)
    assert not verifier.ed25519_is_valid(public, message, bytes(flipped))


def signed():
    key = key_of("signer")
    return key.public_key().public_bytes_raw(), b"message", key.sign(b"message")


def test_a_signature_with_s_beyond_the_group_order_is_refused():
    public, message, signature = signed()
    s = int.from_bytes(signature[32:], "little") + L
    assert not verifier.ed25519_is_valid(public, message, signature[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize("y", [P, P + 1, 2**255 - 1, 2])
def test_points_in_another_spelling_or_off_the_curve_are_refused(y):
    _, message, signature = signed()
    assert not verifier.ed25519_is_valid(y.to_bytes(32, "little"), message, signature)


@pytest.mark.parametrize("point", ["01" + "00" * 31, "ec" + "ff" * 30 + "7f", "00" * 32])
def test_a_key_of_small_order_is_refused_though_its_equation_holds(point):
    public = bytes.fromhex(point)
    signature = bytes.fromhex("01" + "00" * 31) + bytes(32)  # R neutral, s = 0
    messages = [b"%d" % number for number in range(64)]
    accepted = []
    for message in messages:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
            accepted.append(message)
        except InvalidSignature:
            continue
    assert not any(verifier.ed25519_is_valid(public, m, signature) for m in messages)
    assert accepted, "the attack works nowhere, so this test shows nothing"


@pytest.mark.parametrize("cut", [slice(0, 63), slice(0, 32), slice(0, 0)])
def test_a_short_signature_or_key_is_refused(cut):
    public, message, signature = signed()
    assert not verifier.ed25519_is_valid(public, message, signature[cut])
    assert not verifier.ed25519_is_valid(public[:31], message, signature)


# --- the command ---


def run(*arguments, cwd=None):
    command = [sys.executable, "-I", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.mark.requirement("URS-AUD-025")
def test_the_copy_in_the_bundle_runs_alone_and_exits_0(complete, trust, tmp_path):
    alone = tmp_path / "laptop"
    alone.mkdir()
    shutil.copy(complete / "verifier.py", alone)
    done = run(alone / "verifier.py", complete, "--trust", trust, cwd=alone)
    assert (done.returncode, done.stderr) == (0, "")
    last = "tree size 11: origin proved by key ledger.example/site-1"
    assert done.stdout.splitlines()[-1].endswith(last)


@pytest.mark.requirement("URS-AUD-025")
def test_a_flaw_is_printed_with_its_place_and_exits_1(complete):
    tampering.edit_lines(complete, "records.jsonl", lambda lines: lines.pop(5))
    done = run(SOURCE, complete)
    assert done.returncode == 1
    place = "records.jsonl line 6 (sequence 5)"
    what = "payload does not match its leaf in index.jsonl"
    assert done.stdout == f"FLAW {place}: {what}\n"
    done = run(SOURCE, complete, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"ok": False, "place": place, "what": what}


def test_the_result_as_json_says_what_was_checked(complete):
    assert json.loads(run(SOURCE, complete, "--json").stdout) == {
        "ok": True,
        "scope": "complete",
        "records": 11,
        "blocks": 4,
        "tree_size": 11,
        "proved_by": [],
        "not_judged": [],
        "epochs": 1,
        "is_quick": False,
        "keys": [],
        "cosigned": [],
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "nonsense\n", '"no note"\n', "a+b+c\n"])
def test_trust_that_cannot_be_used_exits_2(complete, tmp_path, text):
    (tmp_path / "trust").write_text(text)
    done = run(SOURCE, complete, "--trust", tmp_path / "trust")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_call_without_a_folder_or_with_a_missing_one_exits_2(complete, tmp_path):
    missing = tmp_path / "nowhere"
    for arguments in ([], [missing], [complete, "--trust", missing], [complete, "--unknown"]):
        assert run(SOURCE, *arguments).returncode == 2


def test_an_empty_folder_is_a_flaw(tmp_path):
    assert "manifest.json" in flaw(tmp_path)


@pytest.mark.requirement("URS-AUD-025")
def test_the_verifier_needs_python_3_9_and_its_standard_library_alone():
    tree = ast.parse(SOURCE.read_text("utf-8"), feature_version=(3, 9))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert imported
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_a_payload_above_the_limit_is_refused(tmp_path):
    long = [payload(0, reason="x" * 33_000), payload(1)]
    folder = MadeLedger(sizes=(2,), payloads=long, checkpointed=(0,)).write(tmp_path / "b")
    assert "records.jsonl line 1: is longer than 32768 bytes" in flaw(folder)


def test_a_selection_names_its_records_by_sequence(selection):
    index = tampering.lines_of(selection, "index.jsonl")
    assert len(index) == 10  # of blocks 1, 2 and 3, which hold the selected ones
    proofs = [canonical.decode(line) for line in tampering.lines_of(selection, "proofs.jsonl")]
    assert tuple(proof["sequence"] for proof in proofs) == SELECTED


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ({"actor": {"id": "x", "kind": "robot", "name": "x"}}, "actor"),
        ({"actor": {"id": "x", "kind": "process"}}, "actor"),
        ({"source": {"address": 1, "process": None, "session": None, "software": None}}, "source"),
        (
            {"changes": [{"subject": {"id": None, "type": "x"}, "old": None, "new": None}]},
            "changes",
        ),
        ({"changes": [{"subject": {"id": "x", "type": "x"}, "old": "x", "new": None}]}, "changes"),
        ({"changes": ["x"]}, "changes"),
        ({"data": "x"}, "data"),
        ({"parents": ["x"]}, "parents"),
        ({"reason": 1}, "reason"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"v": 2}, "v"),
    ],
)
def test_a_payload_of_another_form_is_named_though_it_was_sealed(tmp_path, members, what):
    """Also behind payloads of its kind that taught the verifier their shape."""
    payloads = [*(payload(number) for number in range(1, 4)), payload(4, **members)]
    made = MadeLedger(sizes=(4,), payloads=payloads, checkpointed=(0,))
    found = f"FLAW records.jsonl line 4: {what} is malformed"
    assert flaw(made.write(tmp_path / "b")) == found


def test_a_trust_file_from_windows_is_read(complete, tmp_path):
    text = f"# keys\r\n{MadeLedger().public}\r\n"
    (tmp_path / "trust").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert verifier.verify(complete, tmp_path / "trust").facts["proved_by"]
