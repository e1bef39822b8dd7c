"""The demonstration's witness: made once, told of the ledger, named in the policy."""

import pytest

from audit import checkpoint
from audit.outside import policy
from audit.witness.folder import Folder
from audit.witness.web import listen
from tests.audit.made_ledger import key_of
from twin_core.supervisor import witness
from twin_core.supervisor.roster import WITNESS, environment_of

ORIGIN = "localhost/ledger/test"


@pytest.fixture
def data(tmp_path):
    (tmp_path / "keys").mkdir()
    public = tmp_path / "keys" / "ledger.pub"
    public.write_text(f"{checkpoint.vkey(ORIGIN, key_of('first'))}\n")
    return tmp_path


@pytest.mark.requirement("URS-AUD-030")
def test_the_witness_is_made_once_and_learns_each_key_of_the_ledger(data):
    witness.prepare(data)
    first = policy.read(data / "witnesses.txt")
    assert (first.quorum, first.witnesses[0].key) == (1, Folder(data / "witness").public)
    with (data / "keys" / "ledger.pub").open("a") as file:
        file.write(f"{checkpoint.vkey(ORIGIN, key_of('next'))}\n")
    witness.prepare(data)
    assert policy.read(data / "witnesses.txt") == first
    (keys,) = Folder(data / "witness").logs().values()
    assert keys == [checkpoint.public_key(ORIGIN, key_of(name)) for name in ("first", "next")]


def test_a_port_that_is_taken_meanwhile_is_replaced_in_the_policy(data):
    witness.prepare(data)
    before = policy.read(data / "witnesses.txt").witnesses[0].url
    with listen(witness.HOST, int(before.rpartition(":")[2])) as taken:
        taken.listen()
        witness.prepare(data)
        assert not witness.is_listening(data)
    assert policy.read(data / "witnesses.txt").witnesses[0].url != before


def test_a_policy_that_a_person_wrote_stays(data):
    other = checkpoint.cosigning_key("witness.example", key_of("partner"))
    theirs = f"https://witness.example {other}\nquorum 1\n"
    (data / "witnesses.txt").write_text(theirs)
    witness.prepare(data)
    assert (data / "witnesses.txt").read_text() == theirs


@pytest.mark.requirement("URS-AUD-030")
def test_the_witness_is_told_nothing_of_ours():
    variables = {"TWIN_DATABASE_URL": "postgresql://x", "TWIN_SECRET_KEY": "secret"}
    assert not [name for name in environment_of(WITNESS, variables) if name.startswith("TWIN_")]
