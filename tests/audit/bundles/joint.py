"""Every bundle that both verifiers are asked about: frozen, honest, attacked, each rule broken."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.audit.bundles import js_ledger
from tests.audit.bundles.attacks import ALL_WITNESSES, ATTACKS, FORKED, PUBLIC, turned
from tests.audit.bundles.js_cases import Case
from tests.audit.bundles.js_cases_chain import HEADERS, RECORDS
from tests.audit.bundles.js_cases_files import FILES, MANIFESTS
from tests.audit.bundles.js_cases_trust import CHECKPOINTS, TRUST
from tests.audit.bundles.js_verifier import VECTORS
from tests.audit.bundles.tampering import SELECTED
from tests.audit.made_ledger import KEY, NEXT_KEY, WITNESSES, MadeLedger, body_of

CASES = {case.name: case for case in [*HEADERS, *RECORDS, *CHECKPOINTS, *TRUST, *FILES, *MANIFESTS]}
TOKENS = [("tokens/4.txt", [body_of(MadeLedger().notes[0]).encode()]), ("tokens/4.tsr", [b"\x30"])]
HONEST: dict[str, tuple[MadeLedger, str]] = {
    "plain": (MadeLedger(), PUBLIC),
    "epochs": (FORKED, PUBLIC),
    "turned": (turned((NEXT_KEY,)), PUBLIC),
    "turned at the end": (MadeLedger(signers={3: (KEY, NEXT_KEY)}), PUBLIC),
    "the next key is trusted": (turned((NEXT_KEY,)), str(MadeLedger(key=NEXT_KEY).public)),
    "a key that was turned signs beside the next": (turned((NEXT_KEY, KEY)), PUBLIC),
    "a key was lost": (MadeLedger(signers={3: (NEXT_KEY,)}), ""),
    "cosigned": (
        MadeLedger(witnesses=WITNESSES[:2]),
        f"{PUBLIC}\n{ALL_WITNESSES}quorum 2\n",
    ),
    "quorum with a checkpoint for a key": (
        MadeLedger(witnesses=WITNESSES),
        f"{ALL_WITNESSES}quorum 3\n{MadeLedger().notes[0]}",
    ),
    "a trusted checkpoint": (turned((NEXT_KEY,)), turned((NEXT_KEY,)).notes[0]),
    "it is open which key was the next": (MadeLedger(signers={1: (KEY, NEXT_KEY)}), PUBLIC),
}


@dataclass(frozen=True)
class Asked:
    """A bundle in a folder, what is trusted, and what must be found."""

    folder: Path
    trust: Path | None
    is_sound: bool
    place: str = ""  # a pattern of the place, where there is one for both


def _trust_of(folder: Path) -> Path:
    """What is trusted of a frozen bundle: the file beside it, or else its own keys."""
    beside = folder.parent / "trust.txt"
    return beside if beside.exists() else folder / "keys.txt"


class Home:
    """A folder in which the made bundles lie, one after another."""

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0

    def put(self, write: Callable[[Path], object], trust: str | None, place: str | None) -> Asked:
        """``place`` None: the bundle is sound."""
        self.count += 1
        folder, file = self.path / f"{self.count}", self.path / f"{self.count}.trust"
        write(folder)
        if trust:
            file.write_bytes(trust.encode())
        return Asked(folder, file if trust else None, place is None, place or "")


def _writes(case: Case) -> Callable[[Path], object]:
    return lambda folder: js_ledger.write(case.files, folder)


def everything(path: Path) -> dict[str, Asked]:
    """Write all of it below ``path``; name -> what is asked."""
    home, asked = Home(path), {}
    for manifest in sorted(VECTORS.glob("**/manifest.json")):
        frozen, name = manifest.parent, str(manifest.parent.relative_to(VECTORS))
        asked[f"vector: {name}"] = Asked(frozen, _trust_of(frozen), True)
        copy = lambda folder, frozen=frozen: shutil.copytree(frozen, folder)  # noqa: E731
        asked[f"vector alone: {name}"] = home.put(copy, None, None)
    for name, (made, trust) in HONEST.items():
        asked[f"honest: {name}"] = home.put(made.write, trust, None)
        part = lambda folder, made=made: made.write(folder, SELECTED)  # noqa: E731
        asked[f"honest selection: {name}"] = home.put(part, trust, None)
    tokens = lambda folder: MadeLedger().write(folder, extras=TOKENS)  # noqa: E731
    asked["honest: tokens"] = home.put(tokens, PUBLIC, None)
    for attack in ATTACKS:
        asked[f"attack: {attack}"] = home.put(attack.write, attack.trust, attack.place)
    for name, case in CASES.items():
        place = None if case.says is None else ""
        asked[f"case: {name}"] = home.put(_writes(case), case.trust, place)
    return asked
