"""Random mutations of a bundle's evidence, each with the places that may be named for it."""

import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audit import canonical
from tests.audit.bundles import tampering
from tests.audit.bundles.tampering import SELECTED
from tests.audit.made_ledger import KEY, NEXT_KEY, WITNESSES, MadeLedger, key_of, payload

SIZES = (1, 3, 5, 2, 6)
SIGNERS = {2: (KEY, NEXT_KEY), 3: (NEXT_KEY,), 4: (NEXT_KEY,)}
HONEST = MadeLedger(
    sizes=SIZES, checkpointed=(1, 2, 4), fork_before=3, signers=SIGNERS, witnesses=WITNESSES[:1]
)
OTHER = MadeLedger(
    sizes=SIZES,
    checkpointed=(1, 2, 4),
    payloads=[payload(number, reason="another ledger") for number in range(sum(SIZES))],
    key=key_of("another ledger's key"),
)
TRUST = f"{HONEST.public}\n{WITNESSES[0].text}\nquorum 1\n"
JSONL = ["records.jsonl", "index.jsonl", "blocks.jsonl", "checkpoints.jsonl"]


@dataclass(frozen=True)
class Bases:
    """The honest bundles, to be copied, and a foreign one to take parts from."""

    home: Path

    @classmethod
    def written(cls, home: Path) -> "Bases":
        HONEST.write(home / "complete", verifier=None)
        HONEST.write(home / "selection", SELECTED, verifier=None)
        OTHER.write(home / "other-complete", verifier=None)
        OTHER.write(home / "other-selection", SELECTED, verifier=None)
        (home / "trust").write_text(TRUST)
        return cls(home)

    @property
    def trust(self) -> Path:
        return self.home / "trust"

    def mutated(self, folder: Path, chance: random.Random) -> str:
        """Write a bundle with one mutation; return the pattern that its flaw's place matches."""
        scope = chance.choice(["complete", "selection"])
        shutil.copytree(self.home / scope, folder)
        if chance.random() < 0.15:
            return self._swap_part(folder, scope, chance)
        name = chance.choice(JSONL + ["proofs.jsonl"] * (scope == "selection"))
        return self._mutate_lines(folder, name, chance)

    def _swap_part(self, folder: Path, scope: str, chance: random.Random) -> str:
        name = chance.choice(["records.jsonl", "index.jsonl", "blocks.jsonl", "keys.txt"])
        shutil.copy(self.home / f"other-{scope}" / name, folder / name)
        tampering.remanifest(folder)
        places = {"keys.txt": "checkpoints.jsonl line 1", "blocks.jsonl": r"blocks.jsonl|line \d+"}
        return places.get(name, rf"{name} line 1|records.jsonl line 1|block \d")

    def _mutate_lines(self, folder: Path, name: str, chance: random.Random) -> str:
        lines = tampering.lines_of(folder, name)
        at = chance.randrange(len(lines))
        mutate = chance.choice([_drop, _edit, _flip, _duplicate, _swap, _insert])
        if name == "checkpoints.jsonl" and mutate is _drop:
            at = len(lines) - 1  # fewer checkpoints are an honest bundle, but the last is needed
        places = {*_near(name, lines, at), *mutate(lines, at, chance, name)}
        tampering.put_lines(folder, name, lines)
        return "|".join(places)


def _near(name: str, lines: list[bytes], at: int) -> set[str]:
    """The line itself, and what else names the same thing: its sequence, block or size."""
    places = {_line(name, at)}
    if name == "index.jsonl":
        sequence = canonical.decode(lines[at])["sequence"]
        places |= {rf"sequence {sequence}\b", rf"\(block {_block_of(sequence)}\)"}
    if name == "blocks.jsonl":
        header = canonical.decode(lines[at])
        places |= {rf"block {header['number']}\b", rf"sequence {header['first_sequence']}\b"}
        places |= {_line("index.jsonl", header["first_sequence"]), "index.jsonl line"}
        places.add(_line(name, at + 1))  # the next one no longer follows
        places.add(rf"checkpoint of size {header['tree_size']}\b")
    if name == "proofs.jsonl":
        sequence = canonical.decode(lines[at])["sequence"]
        places |= {_line("records.jsonl", at), rf"\(block {_block_of(sequence)}\)"}
    if name == "checkpoints.jsonl":
        places |= {rf"checkpoint of size {_size(lines[at])}\b"}
    return places


def _block_of(sequence: int) -> int:
    return next(header.number for header in HONEST.headers if sequence < header.end)


def _size(line: bytes) -> str:
    return str(canonical.decode(line)).split("\n")[1]


def _line(name: str, at: int) -> str:
    return rf"{re.escape(name)} line {at + 1}\b"


def _drop(lines: list[bytes], at: int, chance: random.Random, name: str) -> set[str]:
    del lines[at]
    if name == "checkpoints.jsonl":
        return {_line(name, at - 1)}  # which is the last one now, and ends too early
    return {f"{re.escape(name)}, at its end"} if at == len(lines) else set()


def _edit(lines: list[bytes], at: int, chance: random.Random, name: str) -> set[str]:
    """Another letter or digit somewhere: most often still JSON."""
    line = lines[at]
    place = chance.choice([i for i in _judged(line, name) if chr(line[i]).isalnum()])
    letter = chance.choice([c for c in b"abcdef0123456789" if c != line[place]])
    lines[at] = line[:place] + bytes([letter]) + line[place + 1 :]
    return set()


def _judged(line: bytes, name: str) -> range:
    """Where a change must be found. A signature line under an unknown name is passed over, so of a
    checkpoint it is the body, and elsewhere all.
    """
    return range(line.index(b"\\n\\n") if name == "checkpoints.jsonl" else len(line))


def _flip(lines: list[bytes], at: int, chance: random.Random, name: str) -> set[str]:
    line = bytearray(lines[at])
    line[chance.choice(_judged(line, name))] ^= 1 << chance.randrange(8)
    lines[at] = bytes(line)
    return set()


def _duplicate(lines: list[bytes], at: int, chance: random.Random, name: str) -> set[str]:
    lines.insert(at, lines[at])
    return {_line(name, at + 1)}


def _swap(lines: list[bytes], at: int, chance: random.Random, name: str) -> set[str]:
    if len(lines) == 1:
        return _duplicate(lines, at, chance, name)
    other = chance.choice([i for i in range(len(lines)) if i != at])
    places = _near(name, lines, other)
    places.add(_line(name, min(at, other) + 1))  # which no longer follows
    lines[at], lines[other] = lines[other], lines[at]
    return places


def _insert(lines: list[bytes], at: int, chance: random.Random, name: str) -> set[str]:
    """A line of the other ledger."""
    foreign: dict[str, Callable[[int], bytes]] = {
        "records.jsonl": lambda i: OTHER.payloads[i],
        "index.jsonl": lambda i: OTHER.entries[i].line,
        "blocks.jsonl": lambda i: OTHER.headers[i % len(OTHER.headers)].encode(),
        "checkpoints.jsonl": lambda i: canonical.encode(OTHER.notes[i % len(OTHER.notes)]),
        "proofs.jsonl": lambda i: canonical.encode({"hashes": [], "sequence": i}),
    }
    lines.insert(at, foreign[name](chance.randrange(len(OTHER.entries))))
    return {_line(name, at + 1)}  # where both claim one place, the second one may be named
