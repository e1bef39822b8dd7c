"""The one-file verifier in its other ways of going: quick, and in several processes."""

from pathlib import Path

import pytest

from audit import verifier
from tests.audit.bundles.attacks import ATTACKS
from tests.audit.bundles.rivals import quick
from tests.audit.made_ledger import MadeLedger


@pytest.mark.requirement("URS-AUD-082")
def test_quick_refuses_what_touches_bytes_chain_or_checkpoints(tmp_path):
    """Only what a sealer with the key did to its records, or to a blob, needs the full check."""
    missed = set()
    for number, attack in enumerate(ATTACKS):
        folder = tmp_path / f"{number:02}"
        attack.write(folder)
        trust = {}
        if attack.trust:
            trust[folder] = tmp_path / f"{number:02}.trust"
            trust[folder].write_text(attack.trust)
        if quick([folder], trust)[folder][0]:
            missed.add(str(attack))
    assert missed == {
        "fork with a record of another kind",
        "drop an attachment",
    }


def test_quick_says_what_it_did_not_do(tmp_path):
    folder = MadeLedger(sizes=(300, 1, 2000), checkpointed=(2,)).write(tmp_path / "b")
    result = verifier.verify(folder, is_quick=True)
    assert result.ok
    assert "QUICK" in result.text.splitlines()[-1]
    assert "no record was read" in result.text


def test_several_processes_give_the_same_answer(tmp_path):
    made = MadeLedger(sizes=(1500, 700), checkpointed=(1,))
    folder = made.write(Path(tmp_path / "b"))
    assert verifier.verify(folder, jobs=2) == verifier.verify(folder)
