"""Faults of exports: bundles changed, proofs forged, other machines, bundles made to harm."""

import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit import merkle, verifier
from tests.audit.bundles import guarded, hostile, js_verifier
from tests.audit.bundles.rivals import BOTH
from tests.audit.bundles.tampering import SELECTED, edit_lines
from tests.audit.made_ledger import MadeLedger
from tests.faults.mutations import Bases

SEED = 20_261_124
TOGETHER = 100  # bundles that one call of a verifier is given
AT_ONCE = 2000  # proofs that the page is given at once


@pytest.mark.requirement("URS-AUD-080")
@pytest.mark.fault("EXP-01")
@pytest.mark.timeout(0)
def test_a_mutated_bundle_is_found_and_placed_by_every_verifier(campaign, tmp_path):
    bases, chance = Bases.written(tmp_path / "bases"), random.Random(SEED)
    found = placed = alarms = 0
    for start in range(0, campaign.runs, TOGETHER):
        home = tmp_path / str(start)
        amount = min(TOGETHER, campaign.runs - start)
        places = {home / str(n): bases.mutated(home / str(n), chance) for n in range(amount)}
        honest = [bases.home / "complete", bases.home / "selection"]
        trust = dict.fromkeys([*places, *honest], bases.trust)
        answers = [verify([*places, *honest], trust) for verify in BOTH.values()]
        alarms += sum(not answer[folder][0] for answer in answers for folder in honest)
        for folder, place in places.items():
            found += all(not answer[folder][0] for answer in answers)
            named = all(re.search(place, answer[folder][1]) for answer in answers)
            placed += named
            assert named, (folder, place, [answer[folder] for answer in answers])
        shutil.rmtree(home)
    campaign.saw(
        detected_share=found / campaign.runs,
        localised_share=placed / campaign.runs,
        false_alarms=alarms,
    )


def _leaves(size: int) -> list[bytes]:
    return [merkle.leaf_hash(b"%d" % (number // 2)) for number in range(size)]  # pairs of equals


SHAPES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 127, 128, 129]
TREES = {size: _leaves(size) for size in SHAPES}
ROOTS = {size: merkle.root(leaves) for size, leaves in TREES.items()}


def _statement(chance: random.Random) -> tuple[bytes, int, int, list[bytes]]:
    """(leaf, index, size, proof) that hold."""
    size = chance.choice(SHAPES)
    index, fetch = chance.randrange(size), merkle.fetch_from_leaves(TREES[size])
    return TREES[size][index], index, size, merkle.inclusion_proof(index, size, fetch)


def _forged(chance: random.Random) -> tuple[bytes, int, int, list[bytes], bytes]:
    """A statement with one thing changed, and the root that it is checked against."""
    leaf, index, size, proof = _statement(chance)
    root, proof = ROOTS[size], list(proof)
    at = chance.randrange(len(proof)) if proof else 0
    way = chance.randrange(10)
    if way == 0:
        leaf = chance.randbytes(32)
    elif way == 1:
        index = chance.choice([0, size - 1, index ^ 1, index + 1, size, 2 * size])
    elif way == 2:
        size = chance.choice([0, 1, size - 1, size + 1, 2 * size, 2 * size - 1, 1 << 40])
    elif way == 3 and proof:
        proof[at] = bytes([proof[at][0] ^ 1]) + proof[at][1:]
    elif way == 4:
        proof.insert(at, proof[at] if proof else leaf)
    elif way == 5 and proof:
        del proof[at]
    elif way == 6 and len(proof) > 1:
        proof.reverse()
    elif way == 7 and proof:  # a node passed off as a leaf, one level up
        leaf, index, proof = merkle.node(leaf, proof[0]), index // 2, proof[1:]
    elif way == 8:  # no domain separation
        leaf = merkle.node(leaf, proof[0] if proof else leaf)
    else:
        root = chance.choice([merkle.root([]), bytes(32), leaf, chance.randbytes(32)])
    return leaf, index, size, proof, root


PROVE = """(cases) => cases.map(([leaf, index, size, proof]) => {
  const { rootOfProof, fromHex, hex } = bundleVerifier;
  const root = index < size ? rootOfProof(fromHex(leaf), index, size, proof.map(fromHex)) : null;
  return root && hex(root);
})"""


def _roots_in_browser(cases: list[tuple[str, int, int, list[str]]]) -> list[str | None]:
    """The page's root of each proof; None where it refuses the proof."""
    with js_verifier.opened_browser() as open_page:
        page, found = open_page(), []
        for start in range(0, len(cases), AT_ONCE):
            found += page.evaluate(PROVE, [list(case) for case in cases[start : start + AT_ONCE]])
        return found


def _root_in_python(leaf: str, index: int, size: int, hashes: list[str]) -> str | None:
    """The one-file verifier's, for an index within the tree, as its walk has it."""
    root = verifier.root_by_proof(bytes.fromhex(leaf), index, size, hashes) if index < size else b""
    return root.hex() or None


@pytest.mark.browser
@pytest.mark.requirement("URS-AUD-080")
@pytest.mark.fault("EXP-02")
@pytest.mark.timeout(0)
def test_no_forged_proof_is_accepted_and_the_verifiers_agree(campaign):
    """Size and root are signed together: a proof for another size or root proves nothing here."""
    chance = random.Random(SEED)
    accepted = disagreements = 0
    for start in range(0, campaign.runs, AT_ONCE * 10):
        made = [_forged(chance) for _ in range(min(AT_ONCE * 10, campaign.runs - start))]
        leaf, index, size, proof = _statement(chance)  # one that is true, or nothing is shown
        made.append((leaf, index, size, proof, ROOTS[size]))
        cases = [
            (leaf.hex(), i, size, [h.hex() for h in proof]) for leaf, i, size, proof, _ in made
        ]
        both = zip(
            [_root_in_python(*case) for case in cases], _roots_in_browser(cases), strict=True
        )
        answers = list(both)
        assert answers[-1] == (ROOTS[size].hex(), ROOTS[size].hex())
        for (leaf, index, size, proof, root), roots in zip(made[:-1], answers[:-1], strict=True):
            store = merkle.verify_inclusion(leaf, index=index, size=size, proof=proof, root=root)
            verdicts = {store, *(found == root.hex() for found in roots)}
            disagreements += len({*roots}) > 1 or len(verdicts) > 1
            is_signed = ROOTS.get(size) == root
            is_true = is_signed and index < size and TREES[size][index] == leaf
            accepted += True in verdicts and is_signed and not is_true
    campaign.saw(forged_accepted=accepted, disagreements=disagreements)


ZONES = ["UTC", "America/St_Johns", "Pacific/Kiritimati", "Asia/Kathmandu"]
LOCALES = ["C", "C.UTF-8", "de_DE.ISO-8859-1", "tr_TR.UTF-8"]
SEEDS = ["0", "1", "random"]


def _interpreters() -> list[str]:
    """Every supported Python that starts on this machine, ours first."""
    found = [os.path.realpath(sys.executable)]
    itself = "import os, sys; print(os.path.realpath(sys.executable))"  # not a script before it
    for path in filter(None, (shutil.which(f"python3.{minor}") for minor in range(9, 16))):
        said = subprocess.run([path, "-c", itself], capture_output=True, text=True)
        if said.returncode == 0:
            found.append(said.stdout.strip())
    return list(dict.fromkeys(found))


def _in_another_order(folder: Path, target: Path) -> Path:
    """A copy whose files were made in the opposite order."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file():
            copy = target / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    return target


def _bundles(home: Path) -> list[str]:
    """Names below ``home``, where they lie twice, in folders ``a`` and ``b``."""
    for scope, selected in (("complete", None), ("selection", SELECTED)):
        MadeLedger().write(home / "a" / scope, selected)
        shutil.copytree(home / "a" / scope, home / "a" / f"{scope}-crlf")
        edit_lines(home / "a" / f"{scope}-crlf", "records.jsonl", _with_returns)
    MadeLedger().write(home / "a" / "added")
    (home / "a" / "added" / "ünbekannt.txt").write_text("x")
    (home / "a" / "added" / "Zzz.txt").write_text("x")
    names = sorted(path.name for path in (home / "a").iterdir())
    for name in names:
        _in_another_order(home / "a" / name, home / "b" / name)
    return names


def _with_returns(lines: list[bytes]) -> None:
    lines[:] = [line + b"\r" for line in lines]


@pytest.mark.requirement("URS-AUD-084")
@pytest.mark.fault("EXP-07")
@pytest.mark.timeout(0)
def test_the_verdict_is_the_same_everywhere(campaign, tmp_path):
    names, chance = _bundles(tmp_path), random.Random(SEED)
    settings = list(itertools.product(ZONES, LOCALES, SEEDS, ["a", "b"]))
    interpreters = itertools.cycle(_interpreters())
    expected: dict[str, tuple[int, bytes]] = {}
    differences = 0
    for _ in range(campaign.runs):
        zone, locale, seed, side = chance.choice(settings)
        changes = {"TZ": zone, "LC_ALL": locale, "LANG": locale, "PYTHONHASHSEED": seed}
        python = next(interpreters)
        for name in names:
            command = [python, "-B", verifier.__file__, name]
            done = subprocess.run(
                command, cwd=tmp_path / side, capture_output=True, env={**os.environ, **changes}
            )
            seen = (done.returncode, done.stdout + done.stderr)
            differences += expected.setdefault(name, seen) != seen
    codes = {name: code for name, (code, _) in expected.items()}
    assert codes == {name: int("-" in name or name == "added") for name in names}
    campaign.saw(differences=differences)


@pytest.mark.requirement("URS-AUD-083")
@pytest.mark.fault("EXP-08")
@pytest.mark.timeout(0)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_bundle_is_refused_within_the_limits(campaign, tmp_path):
    """``time_s`` is CPU time; a verifier that waits for ever runs into the time limit."""
    chance, outside, network, peak, slowest = random.Random(SEED), 0, 0, 0.0, 0.0
    makers = itertools.cycle(hostile.MAKERS)
    for start in range(0, campaign.runs, TOGETHER):
        home = tmp_path / str(start)
        home.mkdir()
        bundles = [home / str(n) for n in range(min(TOGETHER, campaign.runs - start))]
        for bundle, make in zip(bundles, makers, strict=False):
            make(bundle, chance)
        command = [sys.executable, "-I", "-B", guarded.__file__, verifier.__file__]
        done = subprocess.run(
            [*command, *map(str, bundles)], capture_output=True, text=True, check=True, timeout=900
        )
        seen = json.loads(done.stdout)
        assert [result["said"] for result in seen["results"] if result["ok"]] == []
        outside += len(seen["written"]) + len(seen["other"])
        network += len(seen["network"])
        peak = max(peak, seen["peak_MiB"])
        slowest = max(slowest, *(result["seconds"] for result in seen["results"]))
        shutil.rmtree(home)
    campaign.saw(files_outside=outside, network_calls=network, peak_memory_mib=peak, time_s=slowest)
