"""The file of witnesses: what it asks for, and every mistake in it."""

import pytest

from audit import checkpoint
from audit.outside import policy
from tests.audit.made_ledger import key_of

ONE, TWO = (
    f"https://{name}.example/witness {checkpoint.cosigning_key(f'{name}.example', key_of(name))}"
    for name in ("one", "two")
)
LEDGER = checkpoint.vkey("ledger.example", key_of("ledger"))
STATED = checkpoint.Checkpoint("ledger.example", 11, bytes(range(32)), 3, "ab" * 32)
NOTE = checkpoint.sign(STATED, name="ledger.example", key=key_of("ledger"))


def read(tmp_path, *lines: str):
    path = tmp_path / "witnesses.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return policy.read(path)


def cosigned(note: str, *names: str, at: int = 1_800_000_000) -> str:
    for name in names:
        line = checkpoint.cosign(STATED.body, name=f"{name}.example", key=key_of(name), at=at)
        note = checkpoint.add_line(note, line)
    return note


@pytest.mark.requirement("URS-AUD-031")
def test_a_policy_is_met_by_as_many_witnesses_as_it_asks_for(tmp_path):
    asked = read(tmp_path, "# ours", "", ONE, TWO, "quorum 2")
    assert not asked.is_met(NOTE)
    assert not asked.is_met(cosigned(NOTE, "one"))
    assert asked.is_met(cosigned(NOTE, "one", "two"))


@pytest.mark.requirement("URS-AUD-031")
def test_one_witness_twice_and_a_stranger_count_once_and_not_at_all(tmp_path):
    asked = read(tmp_path, ONE, TWO)
    assert asked.quorum == 2
    twice = cosigned(cosigned(NOTE, "one"), "one", "stranger", at=1_800_000_001)
    assert [key.name for key in asked.cosigners(twice)] == ["one.example"]
    assert not asked.is_met(twice)


@pytest.mark.requirement("URS-AUD-031")
def test_a_ledgers_own_signature_is_no_cosignature(tmp_path):
    assert not read(tmp_path, ONE, "quorum 1").is_met(NOTE)


@pytest.mark.requirement("URS-AUD-031")
def test_a_wrong_cosignature_of_a_known_witness_spoils_the_checkpoint(tmp_path):
    other = checkpoint.Checkpoint("ledger.example", 12, bytes(range(32)), 3, "ab" * 32)
    line = checkpoint.cosign(other.body, name="one.example", key=key_of("one"), at=1)
    with pytest.raises(checkpoint.BadCheckpoint, match="does not fit"):
        read(tmp_path, ONE).is_met(checkpoint.add_line(NOTE, line))


def test_without_a_file_no_witness_is_asked(tmp_path):
    assert policy.read(tmp_path / "nothing.txt") is None


@pytest.mark.requirement("URS-AUD-031")
@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "quorum is 0 of 0"),
        ([ONE, "quorum 0"], "quorum is 0"),
        ([ONE, "quorum 2"], "quorum is 2 of 1"),
        ([ONE, "quorum one"], "line 2"),
        ([ONE, "quorum 1", "quorum 1"], "line 3: .*once"),
        ([ONE, ONE], "two lines have one key"),
        ([ONE.removeprefix("https://")], "line 1: begin with"),
        ([f"https://x.example {LEDGER}"], "not a witness's key"),
        (["https://x.example"], "line 1"),
        (["https://x.example nonsense+00+AAAA"], "line 1"),
    ],
)
def test_a_mistake_in_the_file_is_named_and_switches_nothing_off(tmp_path, lines, said):
    with pytest.raises(policy.PolicyInvalid, match=said):
        read(tmp_path, *lines)
