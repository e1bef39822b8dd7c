"""The tamper suite as a table: each attack, what is trusted, and the place that must be named.

An attack writes a tampered bundle; any verifier must refuse it and name a place that ``place``
matches: file and line, counted from 1, or the sequence of the record, or the number of the block.
"""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from audit import canonical, chain, merkle
from tests.audit.bundles import tampering
from tests.audit.bundles.tampering import SELECTED, swap
from tests.audit.made_ledger import (
    KEY,
    NEXT_KEY,
    WITNESSES,
    MadeLedger,
    bent,
    body_of,
    key_of,
    payload,
)

THIRD_KEY = key_of("a third key")
PUBLIC = str(MadeLedger().public)
ALL_WITNESSES = "".join(f"{witness.text}\n" for witness in WITNESSES)
Edit = Callable[[list[bytes]], Any]


@dataclass(frozen=True)
class Attack:
    """``write`` makes the tampered bundle in a folder that does not exist yet."""

    name: str
    write: Callable[[Path], object]
    place: str  # a pattern
    trust: str = ""  # content of the trust file; none when empty

    def __str__(self) -> str:
        return self.name


def _line(name: str, number: int | str, *others: str) -> str:
    return "|".join([rf"{name.replace('.', '[.]')} line {number}\b", *others])


def _record(sequence: int) -> str:
    return _line("records.jsonl", sequence + 1, rf"sequence {sequence}\b")


def _block(number: int) -> str:
    return _line("blocks.jsonl", number + 1, rf"block {number}\b")


def edited(*names: str, edit: Edit, selected: Iterable[int] | None = None) -> Any:
    """The honest bundle with the same edit of the lines of some files, and a manifest that fits."""

    def write(folder: Path) -> None:
        MadeLedger().write(folder, selected)
        for name in names:
            tampering.edit_lines(folder, name, edit)

    return write


def changed(name: str, position: int, **members: Any) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        MadeLedger().write(folder)
        tampering.edit_json(folder, name, position, **members)

    return write


def rewritten(**changes: Any) -> MadeLedger:
    """The ledger with one record changed, and everything after it made to fit."""
    payloads = list(MadeLedger().payloads)
    payloads[5] = payload(5, reason="never happened")
    return MadeLedger(payloads=payloads, **changes)


def without_blocks(*numbers: int) -> Callable[[Path], object]:
    """A partition is gone: some blocks' records and index lines."""
    headers = [MadeLedger().headers[number] for number in numbers]

    def edit(lines: list[bytes]) -> None:
        for header in reversed(headers):
            del lines[header.first_sequence : header.end]

    return edited("records.jsonl", "index.jsonl", edit=edit)


def renumbered(folder: Path) -> None:
    """A block is taken out with its records, and the ones behind it are numbered anew."""
    without_blocks(1)(folder)
    tampering.edit_lines(folder, "blocks.jsonl", lambda lines: lines.pop(1))
    for position in (1, 2):
        tampering.edit_json(folder, "blocks.jsonl", position, number=position)


def forged_with_block(folder: Path) -> None:
    """Another payload with its leaf, and digests of its block that fit."""
    MadeLedger().write(folder)
    lines = tampering.lines_of(folder, "records.jsonl")
    lines[5] = payload(77)
    tampering.put_lines(folder, "records.jsonl", lines)
    tampering.edit_json(folder, "index.jsonl", 5, leaf=merkle.leaf_hash(lines[5]))
    index = tampering.lines_of(folder, "index.jsonl")[4:9]
    digests = {"records_digest": chain.records_digest(lines[4:9])}
    digests["index_digest"] = chain.index_digest(index)
    tampering.edit_json(folder, "blocks.jsonl", 2, **digests)


def with_file(name: str, content: bytes, made: MadeLedger | None = None) -> Any:
    def write(folder: Path) -> None:
        (made or MadeLedger()).write(folder)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        tampering.remanifest(folder)

    return write


def renamed_log(folder: Path) -> None:
    """A checkpoint of epoch 1 that calls itself one of epoch 0, signed by the ledger's key."""
    made = MadeLedger(fork_before=2)
    made.notes = [MadeLedger.sign(made, replace(header, epoch=0)) for header in made.headers[1::2]]
    made.write(folder)


def cosigned_later(folder: Path) -> None:
    """A witness's time is moved, its signature kept."""
    made = MadeLedger(witnesses=WITNESSES[:1])
    lines = [WITNESSES[0].line(body_of(note), 1_769_850_911) for note in made.notes]
    honest = [WITNESSES[0].line(body_of(note)) for note in made.notes]
    notes = []
    for note, late, true in zip(made.notes, lines, honest, strict=True):
        mixed = tampering.with_time_of(late, true)
        notes.append(note.replace(true, mixed))
    made.write(folder, checkpoints=notes)


def drop_blob(folder: Path) -> None:
    MadeLedger().write(folder)
    shutil.rmtree(folder / "blobs")
    tampering.remanifest(folder)


def turned(second: Any, **changes: Any) -> MadeLedger:
    """The key turns at the second checkpoint; ``second`` sign the third one, which is the last."""
    signers = {1: (KEY, NEXT_KEY), 3: second}
    return MadeLedger(checkpointed=(0, 1, 3), signers=signers, **changes)


BEFORE = MadeLedger().headers[1].sealed_at - timedelta(hours=1)
LAST, THIRD = (_line("checkpoints.jsonl", number) for number in (2, 3))
FORKED = MadeLedger(fork_before=2)
ATTACKS = [
    Attack(
        "edit a record",
        edited("records.jsonl", edit=lambda x: x.__setitem__(5, x[5].replace(b"S-5", b"S-6"))),
        _record(5),
    ),
    Attack("delete a record", edited("records.jsonl", edit=lambda x: x.pop(5)), _record(5)),
    Attack(
        "delete a record and its index line",
        edited("records.jsonl", "index.jsonl", edit=lambda x: x.pop(5)),
        _line("index.jsonl", 6, "sequence 5"),
    ),
    Attack(
        "insert a record",
        edited("records.jsonl", edit=lambda x: x.insert(5, payload(99))),
        _record(5),
    ),
    Attack(
        "duplicate a record",
        edited("records.jsonl", edit=lambda x: x.insert(5, x[4])),
        _record(5),
    ),
    Attack("swap two records", edited("records.jsonl", edit=swap(5, 6)), _record(5)),
    Attack("reorder all records", edited("records.jsonl", edit=list.reverse), _record(0)),
    Attack(
        "swap two records and their index lines",
        edited("records.jsonl", "index.jsonl", edit=swap(5, 6)),
        _line("index.jsonl", 6, "sequence [56]"),
    ),
    Attack(
        "truncate the records",
        edited("records.jsonl", edit=lambda x: x.pop()),
        "records.jsonl, at its end|sequence 10",
    ),
    Attack(
        "truncate the whole bundle",
        MadeLedger(sizes=(1, 3)).write,
        "trust|checkpoint of size 11",
        MadeLedger().notes[1],
    ),
    Attack("rewrite a record and its block", forged_with_block, _block(2)),
    Attack(
        "rewrite history with the key",
        rewritten().write,
        "trust|checkpoint of size 11",
        MadeLedger().notes[1],
    ),
    Attack(
        "rewrite history without the key",
        lambda folder: rewritten().write(folder, checkpoints=MadeLedger().notes),
        LAST,
    ),
    Attack("rewrite history with another key", rewritten(key=NEXT_KEY).write, LAST, PUBLIC),
    Attack(
        "swap the key",
        MadeLedger(key=NEXT_KEY).write,
        LAST,
        PUBLIC,
    ),
    Attack(
        "swap the keys beside the records",
        with_file("keys.txt", f"{MadeLedger(key=NEXT_KEY).public}\n".encode()),
        _line("checkpoints.jsonl", 1),
    ),
    Attack("fork without a record", bent(2, epoch=1, timeline=2).write, _block(2)),
    Attack(
        "fork with a record of another kind",
        MadeLedger(fork_before=2, fork_kind="audit.ledger.checked").write,
        _block(2),
    ),
    Attack(
        "fork into two histories",
        FORKED.write,
        "trust|checkpoint of size 11",
        MadeLedger().notes[1],
    ),
    Attack("skip an epoch", bent(2, epoch=2).write, _block(2)),
    Attack("keep the log's name in a new epoch", renamed_log, LAST),
    Attack("step the clock back", bent(2, sealed_at=BEFORE).write, _block(2)),
    Attack("move to another cluster in silence", bent(2, system_identifier="1").write, _block(2)),
    Attack("move to another timeline in silence", bent(2, timeline=2).write, _block(2)),
    Attack("leave transactions out", bent(2, transaction_from=1010).write, _block(2)),
    Attack("drop a partition", without_blocks(1), _line("index.jsonl", 2, "sequence 1")),
    Attack("drop a partition at the end", without_blocks(2, 3), "at its end|sequence 4|block 2"),
    Attack(
        "drop a block", edited("blocks.jsonl", edit=lambda x: x.pop(2)), _line("blocks.jsonl", 3)
    ),
    Attack("renumber a block", changed("blocks.jsonl", 2, number=3), _block(3) + "|block 2"),
    Attack("drop a partition and renumber the blocks", renumbered, _line("blocks.jsonl", 2)),
    Attack("swap two blocks", edited("blocks.jsonl", edit=swap(1, 2)), _line("blocks.jsonl", 2)),
    Attack("edit a root", changed("blocks.jsonl", 2, root="0" * 64), _block(2)),
    Attack(
        "edit a time in the index",
        changed("index.jsonl", 5, recorded_at="2026-01-31T09:00:00.000000Z"),
        _block(2),
    ),
    Attack(
        "renumber a record",
        changed("index.jsonl", 5, sequence=6),
        _line("index.jsonl", 6),
    ),
    Attack(
        "drop the last checkpoint",
        edited("checkpoints.jsonl", edit=lambda x: x.pop()),
        "manifest.json|checkpoints.jsonl|checkpoint of size|last checkpoint",
    ),
    Attack(
        "duplicate a checkpoint",
        edited("checkpoints.jsonl", edit=lambda x: x.insert(1, x[0])),
        _line("checkpoints.jsonl", 2),
    ),
    Attack(
        "sign alone with a key that was turned",
        turned((KEY,)).write,
        THIRD,
    ),
    Attack(
        "bring in a key by one that was turned",
        turned((KEY, THIRD_KEY)).write,
        THIRD,
        PUBLIC,
    ),
    Attack(
        "change the key without a turn",
        MadeLedger(signers={3: (NEXT_KEY,)}).write,
        LAST,
        PUBLIC,
    ),
    Attack(
        "sign with three keys",
        MadeLedger(signers={3: (KEY, NEXT_KEY, THIRD_KEY)}).write,
        LAST,
    ),
    Attack(
        "move a witness's time",
        cosigned_later,
        _line("checkpoints.jsonl", "[12]"),
        f"{PUBLIC}\n{ALL_WITNESSES}",
    ),
    Attack(
        "miss the quorum",
        MadeLedger(witnesses=WITNESSES[:1]).write,
        LAST,
        f"{PUBLIC}\n{ALL_WITNESSES}quorum 2\n",
    ),
    Attack(
        "cosign twice by one witness",
        MadeLedger(witnesses=WITNESSES[:1] * 2).write,
        LAST,
        f"{PUBLIC}\n{ALL_WITNESSES}quorum 2\n",
    ),
    Attack(
        "trust witnesses, but no key of the ledger",
        MadeLedger(witnesses=WITNESSES).write,
        f"trust|{LAST}",
        f"{ALL_WITNESSES}quorum 3\n",
    ),
    Attack("put another body under a token", with_file("tokens/4.txt", b"x\n"), "tokens/4.txt"),
    Attack(
        "put a token under no checkpoint",
        with_file("tokens/5.txt", body_of(MadeLedger().notes[0]).encode()),
        "tokens/5.txt",
    ),
    Attack("drop an attachment", drop_blob, _record(4)),
    Attack("add a file", with_file("notes.txt", b"x"), "notes.txt"),
    Attack(
        "drop a proof",
        edited("proofs.jsonl", edit=lambda x: x.pop(1), selected=SELECTED),
        _line("proofs.jsonl", 2, "sequence 4", "block 2", "records.jsonl line 2"),
    ),
    Attack(
        "swap two proofs",
        edited(
            "proofs.jsonl",
            edit=lambda x: x.__setitem__(1, canonical.encode(_other_proof(x))),
            selected=SELECTED,
        ),
        _line("proofs.jsonl", 2, "sequence 4"),
    ),
    Attack(
        "edit a selected record",
        edited(
            "records.jsonl",
            edit=lambda x: x.__setitem__(1, x[1].replace(b"S-4", b"S-5")),
            selected=SELECTED,
        ),
        _line("records.jsonl", 2, "sequence 4"),
    ),
]


def _other_proof(lines: list[bytes]) -> dict[str, Any]:
    """The second proof's sequence with the third one's hashes."""
    second, third = canonical.decode(lines[1]), canonical.decode(lines[2])
    return {**second, "hashes": third["hashes"]}
