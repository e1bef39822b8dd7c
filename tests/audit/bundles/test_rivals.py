"""Both verifiers over the tamper suite, the honest bundles and the frozen vectors."""

import re
from pathlib import Path

import pytest

from audit import verifier
from tests.audit.bundles.attacks import ALL_WITNESSES, ATTACKS, FORKED, PUBLIC, turned
from tests.audit.bundles.rivals import AWAITED, quick, rivals
from tests.audit.bundles.tampering import SELECTED
from tests.audit.made_ledger import KEY, NEXT_KEY, WITNESSES, MadeLedger, body_of

HONEST = {
    "plain": (MadeLedger(), PUBLIC),
    "epochs": (FORKED, PUBLIC),
    "turned": (turned((NEXT_KEY,)), PUBLIC),
    "turned at the end": (MadeLedger(signers={3: (KEY, NEXT_KEY)}), PUBLIC),
    "the next key is trusted": (
        turned((NEXT_KEY,)),
        str(MadeLedger(key=NEXT_KEY).public),
    ),
    "a key that was turned signs beside the next": (turned((NEXT_KEY, KEY)), PUBLIC),
    "a key was lost": (MadeLedger(signers={3: (NEXT_KEY,)}), ""),
    "cosigned": (
        MadeLedger(witnesses=WITNESSES[:2]),
        f"{PUBLIC}\n{ALL_WITNESSES}quorum 2\n",
    ),
    "a trusted checkpoint": (turned((NEXT_KEY,)), turned((NEXT_KEY,)).notes[0]),
    "it is open which key was the next": (MadeLedger(signers={1: (KEY, NEXT_KEY)}), PUBLIC),
}


@pytest.mark.requirement("URS-AUD-080")
@pytest.mark.requirement("URS-AUD-081")
@pytest.mark.parametrize("rival", rivals())
def test_every_attack_is_found_and_placed(rival, tmp_path):
    folders, trust = {}, {}
    for number, attack in enumerate(ATTACKS):
        folder = tmp_path / f"{number:02}"
        attack.write(folder)
        folders[folder] = attack
        if attack.trust:
            trust[folder] = tmp_path / f"{number:02}.trust"
            trust[folder].write_text(attack.trust)
    found = rival(list(folders), trust)
    accepted = {str(attack) for folder, attack in folders.items() if found[folder][0]}
    assert accepted == AWAITED.get(rival.__name__, set())
    astray = {
        str(attack): (found[folder][1], attack.place)
        for folder, attack in folders.items()
        if not found[folder][0] and not re.search(attack.place, found[folder][1])
    }
    assert astray == {}


@pytest.mark.requirement("URS-AUD-081")
@pytest.mark.parametrize("rival", rivals())
def test_honest_bundles_of_every_kind_are_sound(rival, tmp_path):
    folders, trust = [], {}
    for number, (made, trusted) in enumerate(HONEST.values()):
        for scope, selected in (("complete", None), ("selection", SELECTED)):
            folders.append(made.write(tmp_path / f"{number}-{scope}", selected))
            if trusted:
                trust[folders[-1]] = tmp_path / f"{number}.trust"
                trust[folders[-1]].write_text(trusted)
    found = rival(folders, trust)
    assert {folder.name: text for folder, (ok, text) in found.items() if not ok} == {}


def test_tokens_with_their_bodies_are_sound(tmp_path):
    made = MadeLedger()
    extras = [("tokens/4.txt", [body_of(made.notes[0]).encode()]), ("tokens/4.tsr", [b"\x30"])]
    assert verifier.verify(made.write(tmp_path / "b", extras=extras)).ok


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
