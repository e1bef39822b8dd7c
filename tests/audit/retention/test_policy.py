"""The policy as text, and evidence that time has passed: pure rules."""

import base64
import hashlib
import struct
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import checkpoint
from audit.retention import evidence, policy
from tests.audit.made_ledger import MadeLedger, key_of
from tests.audit.retention.old_months import POLICY

SHIPPED = Path(policy.__file__).with_name("policy.yaml")


def test_the_policy_that_comes_along_can_be_read_and_keeps_people_for_ever():
    read = policy.parse(SHIPPED.read_bytes())
    assert read.class_of("people", "audit.person.created").years is None
    assert read.class_of("batch/B-7", "x").years == 30
    assert read.class_of("anything", "x").years == 15
    assert read.kept_streams() == ["ledger", "people"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"v: 1", b"v: 2", "version 1"),
        (b"evidence: checkpoints", b"evidence: none", "evidence"),
        (b"witnesses: []", b"witnesses: x", "a list"),
        (b"years: 2}", b"years: 0}", "1 to 200"),
        (b"years: 2}", b"years: true}", "1 to 200"),
        (b"years: 2}", b"years: for ever}", "names a stream"),
        (b'{name: "All else", years: 2}', b'{name: "x", stream: "y", years: 2}', "the last"),
        (b'"batch/*"', b'"b*h/*"', "a star"),
        (b"classes:", b"klasses:", "write classes"),
        (b'name: "All else", ', b"", "write name"),
    ],
)
def test_a_policy_that_does_not_say_all_is_refused_with_the_place(old, new, reason):
    assert old in POLICY
    with pytest.raises(policy.PolicyInvalid, match=reason):
        policy.parse(POLICY.replace(old, new))


def test_text_that_is_no_yaml_is_refused():
    with pytest.raises(policy.PolicyInvalid, match="YAML"):
        policy.parse(b"{")


def test_retention_is_the_longest_among_classes_and_policies():
    long, short = policy.parse(POLICY), policy.parse(POLICY.replace(b"years: 5", b"years: 1"))
    told = [("batch/B-1", "x"), ("test", "y"), ("people", "z")]
    until = policy.retain_until([short, long], "2026-12", told)
    assert until == datetime(2032, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("name", "pattern"), [("a_b", "a\\_b"), ("b%/*", "b\\%/%"), ("x", "x")])
def test_names_become_patterns_that_match_nothing_else(name, pattern):
    assert policy.like(name) == pattern


@pytest.mark.requirement("URS-AUD-064")
def test_a_gap_in_the_days_ends_what_was_lived_through():
    start = date(2026, 1, 1)
    lived = [start + timedelta(days=20 * n) for n in range(10)]
    forwarded = [date(2046, 1, 1), date(2046, 1, 2)]
    assert evidence.lived_until([*lived, *forwarded], start) == lived[-1]
    assert evidence.lived_until(forwarded, start) is None
    assert evidence.lived_until([], start) is None


@pytest.mark.requirement("URS-AUD-064")
def test_steps_of_the_clock_count_against_what_was_lived_through():
    moment = evidence.moment_of(date(2026, 2, 1), timedelta(days=3))
    assert moment == datetime(2026, 1, 29, tzinfo=UTC)
    assert evidence.moment_of(None, timedelta()) is None


def witness(name: str = "witness.example/w1") -> tuple[Ed25519PrivateKey, str, bytes]:
    key = key_of("a witness")
    content = b"\x04" + key.public_key().public_bytes_raw()
    identity = hashlib.sha256(name.encode() + b"\n" + content).digest()[:4]
    text = f"{name}+{identity.hex()}+{base64.b64encode(content).decode()}"
    return key, text, identity


def cosigned(note: str, seconds: int, *, claimed: int | None = None) -> str:
    key, text, identity = witness()
    body = checkpoint.parse_note(note).body
    signature = key.sign(f"cosignature/v1\ntime {seconds}\n{body}".encode())
    content = identity + struct.pack(">Q", claimed or seconds) + signature
    line = f"— {text.split('+')[0]} {base64.b64encode(content).decode()}"
    return checkpoint.add_line(note, line)


@pytest.mark.requirement("URS-AUD-064")
def test_a_witness_says_when_it_cosigned_and_a_forged_time_says_nothing():
    note, (_, text, _) = MadeLedger().notes[-1], witness()
    at = datetime(2031, 5, 6, tzinfo=UTC)
    seconds = int(at.timestamp())
    assert evidence.cosigned_times(cosigned(note, seconds), [text]) == [at]
    assert evidence.cosigned_times(cosigned(note, seconds), []) == []
    assert evidence.cosigned_times(cosigned(note, 5, claimed=seconds), [text]) == []
    assert evidence.cosigned_times(note, [text]) == []


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-4], lambda t: t.replace("+", "+0", 1), lambda t: "x"]
)
def test_a_text_that_is_no_witness_key_is_refused(spoil):
    with pytest.raises(evidence.WitnessKeyWrong):
        evidence.witness_key(spoil(witness()[1]))


def test_files_that_name_no_day_are_no_evidence(tmp_path):
    for name in ("2026-01-02.jsonl", "notes.jsonl", "2026-01-03.txt"):
        (tmp_path / name).touch()
    assert evidence.kept_days(tmp_path) == [date(2026, 1, 2)]
