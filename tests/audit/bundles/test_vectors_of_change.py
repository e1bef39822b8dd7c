"""Frozen bundles in which the ledger changes: epochs, keys that turn, witnesses, tokens.

They lie in ``tests/audit/vectors/<name>``, each with what to trust; their README says what each one
shows. Made once by ``python -m tests.audit.bundles.test_vectors_of_change``, and never made again.
"""

import hashlib
import json
from pathlib import Path

import pytest

from audit import chain, verifier
from tests.audit.bundles.tampering import SELECTED
from tests.audit.made_ledger import KEY, NEXT_KEY, WITNESSES, MadeLedger, body_of

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
DIGESTS = VECTORS / "changes.json"
EPOCHS = MadeLedger(fork_before=2, fork_at=1)
TURNING = MadeLedger(checkpointed=(0, 1, 3), signers={1: (KEY, NEXT_KEY), 3: (NEXT_KEY,)})
COSIGNED = MadeLedger(witnesses=WITNESSES[:2])
TRUST = {
    "epochs": f"{EPOCHS.public}\n",
    "turning": f"# the key of the first days\n{TURNING.public}\n",
    "cosigned": "".join(f"{witness.text}\n" for witness in WITNESSES)
    + f"{COSIGNED.public}\nquorum 2\n",
    "tokens": f"{MadeLedger().public}\n",
}


def write_vectors(folder: Path) -> None:
    EPOCHS.write(folder / "epochs" / "complete", verifier=None)
    EPOCHS.write(folder / "epochs" / "selection", SELECTED, verifier=None)
    TURNING.write(folder / "turning" / "complete", verifier=None)
    TURNING.write(folder / "turning" / "selection", SELECTED, verifier=None)
    COSIGNED.write(folder / "cosigned" / "complete", verifier=None)
    body = body_of(MadeLedger().notes[1]).encode()
    extras = [("tokens/11.txt", [body]), ("tokens/11.tsr", [b"\x30\x03\x02\x01\x02"])]
    MadeLedger().write(folder / "tokens" / "complete", verifier=None, extras=extras)
    for name, text in TRUST.items():
        (folder / name / "trust.txt").write_text(text)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of these vectors; texts for readers may change, so they are left out."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for name in sorted(TRUST)
        for path in sorted((folder / name).rglob("*"))
        if path.is_file() and path.name not in ("README.txt", "README.md", "fields.md")
    }


def evidence(found: dict[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in found.items() if "/manifest." not in name}


@pytest.mark.requirement("URS-AUD-084")
def test_the_frozen_files_are_as_they_were_frozen():
    assert digests(VECTORS) == json.loads(DIGESTS.read_text())


@pytest.mark.requirement("URS-AUD-081")
def test_what_the_frozen_bundles_show():
    def facts(name):
        folder = VECTORS / name / "complete"
        result = verifier.verify(folder, folder.parent / "trust.txt")
        assert result.ok, result.text
        return result.facts

    assert facts("epochs")["epochs"] == 2
    next_key = MadeLedger(key=NEXT_KEY).public
    assert facts("turning")["keys"] == [f"{next_key.name}+{next_key.key_id.hex()}"]
    times = [each["at"] for each in facts("cosigned")["cosigned"]]
    assert times == ["2026-01-31T09:15:10Z"] * 2
    assert facts("tokens")["not_judged"] == ["tokens/11.tsr"]
    header = chain.Header.decode(EPOCHS.headers[3].encode())
    assert header.log == "ledger.example/site-1/epoch/1"


@pytest.mark.requirement("URS-AUD-084")
def test_the_writers_of_today_give_the_frozen_evidence(tmp_path):
    write_vectors(tmp_path)
    assert evidence(digests(tmp_path)) == evidence(digests(VECTORS))


if __name__ == "__main__":
    write_vectors(VECTORS)
    DIGESTS.write_text(json.dumps(digests(VECTORS), indent=1, sort_keys=True) + "\n")
