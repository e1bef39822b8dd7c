"""A small ledger made in memory, with bundles of it: honest ones, to be tampered with."""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import bundles, canonical, chain, checkpoint, merkle

ORIGIN = "ledger.example/site-1"
START = datetime(2026, 1, 31, 9, 15, tzinfo=UTC)
BLOB = b"spectrum,1\n" * 300
REASON = "größer als erwartet: \N{GREEK SMALL LETTER MU} \U0001f9ea"


def key_of(text: str) -> Ed25519PrivateKey:
    """A key that anyone can make again: for tests alone."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(text.encode()).digest())


KEY = key_of("the ledger's key")
NEXT_KEY = key_of("the ledger's next key")
COSIGNED_AT = 1_769_850_910  # seconds since 1970, some seconds after START


@dataclass(frozen=True)
class Witness:
    """Someone elsewhere who cosigns checkpoints (C2SP tlog-cosignature)."""

    name: str

    @property
    def key(self) -> Ed25519PrivateKey:
        return key_of(self.name)

    @property
    def text(self) -> str:
        """The public key as a line of a trust file."""
        content = b"\x04" + self.key.public_key().public_bytes_raw()
        return f"{self.name}+{self.key_id.hex()}+{b64encode(content).decode()}"

    @property
    def key_id(self) -> bytes:
        content = b"\x04" + self.key.public_key().public_bytes_raw()
        return hashlib.sha256(self.name.encode() + b"\n" + content).digest()[:4]

    def line(self, body: str, seconds: int = COSIGNED_AT) -> str:
        """The signature line over a checkpoint's body."""
        message = f"cosignature/v1\ntime {seconds}\n{body}".encode()
        content = self.key_id + seconds.to_bytes(8, "big") + self.key.sign(message)
        return f"— {self.name} {b64encode(content).decode()}"

    def cosign(self, note: str, seconds: int = COSIGNED_AT) -> str:
        """The note with this witness's line at its end."""
        return f"{note}{self.line(body_of(note), seconds)}\n"


WITNESSES = tuple(Witness(f"witness.example/w{number}") for number in (1, 2, 3))


def body_of(note: str) -> str:
    return note.rpartition("\n\n")[0] + "\n"


def payload(number: int, **members: Any) -> bytes:
    record = {
        "v": 1,
        "stream": f"batch/B-{number % 3:04}",
        "kind": "twin_core.sample.recorded",
        "occurred_at": START + timedelta(seconds=number),
        "actor": {"id": "connector", "kind": "process", "name": "Connector"},
        "changes": [
            {
                "subject": {"id": f"S-{number}", "type": "sample"},
                "old": None,
                "new": {"temperature": canonical.number(36.5 + number / 7, "degC")},
            }
        ],
        "reason": "größer als erwartet: \N{GREEK SMALL LETTER MU} \U0001f9ea"
        if number % 4
        else None,
        "source": {"address": None, "process": "connector", "session": None, "software": "0.1.0"},
        "parents": [],
        "blobs": [],
        "data": None,
    }
    return canonical.encode({**record, **members})


@dataclass
class MadeLedger:
    """Records sealed into blocks of the given sizes, a checkpoint after each listed block."""

    sizes: Sequence[int] = (1, 3, 5, 2)
    key: Ed25519PrivateKey = KEY
    key_name: str = ORIGIN
    checkpointed: Sequence[int] = (1, 3)
    fork_before: int | None = None  # number of the block that opens epoch 1
    fork_kind: str = chain.FORK_KIND
    fork_at: int = 0  # the fork record's place in that block
    signers: Mapping[int, Sequence[Ed25519PrivateKey]] = field(default_factory=dict)  # by block
    witnesses: Sequence[Witness] = ()
    bend: Callable[[chain.Header], chain.Header] = lambda header: header  # a sealer that errs
    payloads: list[bytes] = field(default_factory=list)
    entries: list[chain.Entry] = field(default_factory=list)
    headers: list[chain.Header] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tree = merkle.Tree()
        if not self.payloads:
            self.payloads = [self._made_payload(i) for i in range(sum(self.sizes))]
        for count in self.sizes:
            self.seal(count)

    def _made_payload(self, number: int) -> bytes:
        fork = self.fork_before
        if fork is not None and number == sum(self.sizes[:fork]) + self.fork_at:
            return payload(number, kind=self.fork_kind, stream="ledger")
        blobs = [hashlib.sha256(BLOB).digest()] if number == 4 else []
        return payload(number, blobs=blobs)

    @property
    def public(self) -> checkpoint.PublicKey:
        return checkpoint.public_key(self.key_name, self.key)

    @property
    def keys(self) -> list[checkpoint.PublicKey]:
        """All that the ledger signs with, in the order of their first checkpoints."""
        used = [self.key, *(key for number in sorted(self.signers) for key in self.signers[number])]
        return list(dict.fromkeys(checkpoint.public_key(self.key_name, key) for key in used))

    @property
    def leaves(self) -> list[bytes]:
        return [entry.leaf for entry in self.entries]

    def seal(self, count: int) -> None:
        first, number = len(self.entries), len(self.headers)
        entries = [self._entry(sequence) for sequence in range(first, first + count)]
        self.tree.append(entry.leaf for entry in entries)
        self.entries += entries
        forked = self.fork_before is not None and number >= self.fork_before
        header = chain.Header(
            origin=ORIGIN,
            epoch=int(forked),
            system_identifier="7412345678901234567" if not forked else "7499999999999999999",
            timeline=1,
            number=number,
            first_sequence=first,
            count=count,
            transaction_from=self.transactions_from(first),
            transaction_below=self.transactions_from(first + count),
            records_digest=chain.records_digest(self.payloads[first : first + count]),
            index_digest=chain.index_digest(entry.line for entry in entries),
            previous=self.headers[-1].hash if self.headers else chain.GENESIS,
            tree_size=self.tree.size,
            root=self.tree.root.hex(),
            sealed_at=START + timedelta(seconds=first + count),
        )
        header = self.bend(header)
        self.headers.append(header)
        if number in self.checkpointed:
            self.notes.append(self.sign(header))

    @staticmethod
    def transactions_from(sequence: int) -> int:
        return 1000 + 2 * sequence

    def _entry(self, sequence: int) -> chain.Entry:
        moment = START + timedelta(seconds=sequence, microseconds=17)
        unique = hashlib.sha256(f"id {sequence}".encode()).digest()[:10]
        milliseconds = int(moment.timestamp() * 1000).to_bytes(6, "big")
        raw = bytearray(milliseconds + unique)
        raw[6], raw[8] = raw[6] & 0x0F | 0x70, raw[8] & 0x3F | 0x80
        return chain.Entry(
            id=UUID(bytes=bytes(raw)),
            leaf=merkle.leaf_hash(self.payloads[sequence]),
            recorded_at=moment,
            sequence=sequence,
            transaction=self.transactions_from(sequence) + sequence % 2,
        )

    def sign(self, header: chain.Header) -> str:
        stated = checkpoint.Checkpoint(
            header.log,
            header.tree_size,
            bytes.fromhex(header.root),
            header.number,
            header.hash,
        )
        first, *others = self.signers.get(header.number, (self.key,))
        note = checkpoint.sign(stated, name=self.key_name, key=first)
        for key in others:
            also = checkpoint.sign(stated, name=self.key_name, key=key)
            note += also.rpartition("\n\n")[2]
        for witness in self.witnesses:
            note = witness.cosign(note)
        return note

    def contents(self, selected: Iterable[int] | None = None, **changes: Any) -> bundles.Contents:
        """What a bundle of all records, or of those selected by sequence, holds."""
        chosen = None if selected is None else set(selected)
        blob = hashlib.sha256(BLOB).hexdigest()
        cited = any(
            blob.encode() in text
            for i, text in enumerate(self.payloads)
            if chosen is None or i in chosen
        )
        members: dict[str, Any] = {
            "origin": ORIGIN,
            "scope": "complete" if chosen is None else "selection",
            "tree_size": self.tree.size,
            "software": "pharma-digital-twin 0.1.0",
            "created_at": START + timedelta(days=1),
            "entries": list(self._shown(chosen)),
            "headers": self.headers,
            "checkpoints": self.notes,
            "keys": self.keys,
            "proofs": [] if chosen is None else list(self._proofs(sorted(chosen))),
            "blobs": [(blob, [BLOB])] if cited else [],
            "filters": {} if chosen is None else {"stream": "batch/B-0001"},
        }
        return bundles.Contents(**{**members, **changes})

    def write(self, folder: Path, selected: Iterable[int] | None = None, **changes: Any) -> Path:
        bundles.write(folder, self.contents(selected, **changes))
        return folder

    def _shown(self, chosen: set[int] | None) -> Iterable[tuple[bytes | None, chain.Entry]]:
        for header in self.headers:
            span = range(header.first_sequence, header.end)
            if chosen is None or chosen & set(span):
                for sequence in span:
                    is_shown = chosen is None or sequence in chosen
                    yield self.payloads[sequence] if is_shown else None, self.entries[sequence]

    def _proofs(self, chosen: Sequence[int]) -> Iterable[tuple[int, list[bytes]]]:
        fetch = merkle.fetch_from_leaves(self.leaves)
        for sequence in chosen:
            yield sequence, merkle.inclusion_proof(sequence, self.tree.size, fetch)


def bent(number: int, **changes: Any) -> MadeLedger:
    """A sealer with the key that writes one header against the rules and hashes on from it."""

    def bend(header: chain.Header) -> chain.Header:
        return replace(header, **changes) if header.number == number else header

    return MadeLedger(bend=bend)
