"""A ledger of the format, made from its page for the verifier page's tests: keys included.

Nothing of the product is used. A test changes the plan and gets a bundle that is signed, chained
and listed as if the change were honest: only the rule it breaks can give it away.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "ledger.example/site-9"
LEDGER, WITNESS = b"\x01", b"\x04"
SEEN_AT = 1_770_000_000  # seconds since 1970, of every cosignature


def canonical(value: Any) -> bytes:
    """Canonical JSON of values without floating-point numbers and with BMP member names."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@dataclass(frozen=True)
class Key:
    """A signing key by its name; the same name and salt always give the same key."""

    name: str = ORIGIN
    salt: str = "first"
    algorithm: bytes = LEDGER
    secret: str | None = None  # of keys that are one under two names

    @property
    def private(self) -> Ed25519PrivateKey:
        secret = self.secret or f"{self.name} {self.salt}"
        return Ed25519PrivateKey.from_private_bytes(sha256(secret.encode()))

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    @property
    def id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + self.algorithm + self.public)[:4]

    @property
    def text(self) -> str:
        public = base64.b64encode(self.algorithm + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{public}"

    def line(self, body: str, time: int = SEEN_AT) -> str:
        if self.algorithm == LEDGER:
            signature = self.private.sign(body.encode())
        else:
            message = f"cosignature/v1\ntime {time}\n{body}"
            signature = time.to_bytes(8, "big") + self.private.sign(message.encode())
        return f"— {self.name} {base64.b64encode(self.id + signature).decode()}\n"


FIRST, SECOND, THIRD = (Key(salt=salt) for salt in ("first", "second", "third"))
WITNESSES = [Key(f"witness.example/w{n}", "w", WITNESS) for n in (1, 2, 3)]


def time_of(second: int) -> str:
    return f"2026-01-31T10:{second // 60:02d}:{second % 60:02d}.000000Z"


def payload(n: int, **changed: Any) -> dict[str, Any]:
    """A record of the format; ``changed`` replaces members."""
    whole = {
        "actor": {"id": "connector", "kind": "process", "name": "Connector"},
        "blobs": [],
        "changes": [
            {
                "new": {"n": n, "ö": "\u2028\x7f\t"},
                "old": None,
                "subject": {"id": f"{n}", "type": "t"},
            }
        ],
        "data": None,
        "kind": "test.thing.recorded",
        "occurred_at": time_of(n),
        "parents": [],
        "reason": None,
        "source": {"address": None, "process": "p", "session": None, "software": "1"},
        "stream": "batch/B-1",
        "v": 1,
    }
    return {**whole, **changed}


@dataclass
class Entry:
    """One record with what the database adds."""

    payload: Any
    transaction: str
    id: str
    recorded_at: str
    index: dict[str, Any] = field(default_factory=dict)  # members to replace in the index line


@dataclass
class Block:
    entries: list[Entry]
    sealed_at: str
    first: str
    below: str
    epoch: int = 0
    system: str = "7400"
    timeline: int = 1
    header: dict[str, Any] = field(default_factory=dict)  # members to replace in the header


@dataclass
class Plan:
    """Everything that a bundle is made from; tests change it before ``bundle``."""

    blocks: list[Block]
    checkpoints: dict[int, list[Key]]  # block number -> who signs
    keys: list[Key] = field(default_factory=lambda: [FIRST])
    selected: list[int] | None = None  # sequences; None for a complete bundle
    blobs: list[bytes] = field(default_factory=list)
    manifest: dict[str, Any] = field(default_factory=dict)  # members to replace
    tokens: list[int] = field(default_factory=list)  # block numbers
    note: Callable[[int, str], str] = lambda number, text: text  # rewrites a checkpoint's text


def plan(sizes: Sequence[int] = (1, 3, 2, 5), checkpoints: Sequence[int] = (1, 3)) -> Plan:
    """An honest ledger: blocks of these sizes, checkpoints at these blocks by one key."""
    blocks, n = [], 0
    for number, size in enumerate(sizes):
        entries = []
        for i in range(size):
            unique = f"019c1355-{n:04x}-7000-8000-{n:012x}"
            transaction = str(95 + 10 * number + i // 2)  # runs from two digits to three
            entries.append(Entry(payload(n), transaction, unique, time_of(n)))
            n += 1
        first, below = str(95 + 10 * number), str(105 + 10 * number)
        blocks.append(Block(entries, time_of(n + number), first, below))
    return Plan(blocks, {number: [FIRST] for number in checkpoints})


def tree_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as it is written there."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + tree_root(leaves[:split]) + tree_root(leaves[split:]))


def inclusion(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1, as it is written there."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*inclusion(index, leaves[:split]), tree_root(leaves[split:])]
    return [*inclusion(index - split, leaves[split:]), tree_root(leaves[:split])]


def lines(items: Sequence[bytes]) -> bytes:
    return b"".join(item + b"\n" for item in items)


class Maker:
    """Works a plan out; ``files`` are the bundle's."""

    def __init__(self, made: Plan) -> None:
        self.plan = made
        self.payloads: list[bytes] = []
        self.leaves: list[bytes] = []
        self.index: list[bytes] = []
        self.blocks: list[bytes] = []
        self.headers: list[dict[str, Any]] = []
        for number, block in enumerate(made.blocks):
            self.add(number, block)

    def add(self, number: int, block: Block) -> None:
        first = len(self.leaves)
        for entry in block.entries:
            self.add_entry(entry)
        before = sha256(b"\x02" + self.blocks[-1]).hex() if self.blocks else "0" * 64
        header = {
            "count": len(block.entries),
            "epoch": block.epoch,
            "first_sequence": first,
            "index_digest": sha256(lines(self.index[first:])).hex(),
            "number": number,
            "origin": ORIGIN,
            "previous": before,
            "records_digest": sha256(lines(self.payloads[first:])).hex(),
            "root": tree_root(self.leaves).hex(),
            "sealed_at": block.sealed_at,
            "system_identifier": block.system,
            "timeline": block.timeline,
            "transaction_below": block.below,
            "transaction_from": block.first,
            "tree_size": len(self.leaves),
            "v": 1,
        } | block.header
        self.headers.append(header)
        self.blocks.append(canonical(header))

    def add_entry(self, entry: Entry) -> None:
        raw = entry.payload if isinstance(entry.payload, bytes) else canonical(entry.payload)
        leaf = sha256(b"\x00" + raw)
        line = {
            "id": entry.id,
            "leaf": leaf.hex(),
            "recorded_at": entry.recorded_at,
            "sequence": len(self.leaves),
            "transaction": entry.transaction,
        } | entry.index
        self.payloads.append(raw)
        self.leaves.append(leaf)
        self.index.append(canonical(line))

    def body(self, number: int) -> str:
        header, block = self.headers[number], self.plan.blocks[number]
        origin = ORIGIN if block.epoch == 0 else f"{ORIGIN}/epoch/{block.epoch}"
        root = base64.b64encode(bytes.fromhex(header["root"])).decode()
        hash_ = sha256(b"\x02" + self.blocks[number]).hex()
        return f"{origin}\n{header['tree_size']}\n{root}\nblock {number} {hash_}\n"

    def checkpoint(self, number: int, signers: Sequence[Key] | None = None) -> str:
        body = self.body(number)
        chosen = self.plan.checkpoints[number] if signers is None else signers
        return self.plan.note(number, f"{body}\n" + "".join(key.line(body) for key in chosen))

    def content(self) -> dict[str, bytes]:
        """Every file but the manifest and its digest."""
        numbers = sorted(self.plan.checkpoints)
        shown = range(len(self.payloads)) if self.plan.selected is None else self.plan.selected
        files = {
            "records.jsonl": lines([self.payloads[n] for n in shown]),
            "index.jsonl": lines([self.index[n] for n in self.indexed()]),
            "blocks.jsonl": lines(self.blocks),
            "checkpoints.jsonl": lines([canonical(self.checkpoint(n)) for n in numbers]),
            "keys.txt": "".join(f"{key.text}\n" for key in self.plan.keys).encode(),
            "fields.md": b"fields\n",
            "README.txt": b"read me\n",
        }
        if self.plan.selected is not None:
            proofs = [
                {"hashes": [h.hex() for h in inclusion(n, self.leaves)], "sequence": n}
                for n in shown
            ]
            files["proofs.jsonl"] = lines([canonical(proof) for proof in proofs])
        files |= {f"blobs/{sha256(blob).hex()}": blob for blob in self.plan.blobs}
        for number in self.plan.tokens:
            size = self.headers[number]["tree_size"]
            files[f"tokens/{size}.txt"] = self.body(number).encode()
            files[f"tokens/{size}.tsr"] = b"\x30\x03answer"
        return files

    def indexed(self) -> list[int]:
        if self.plan.selected is None:
            return list(range(len(self.index)))
        found: list[int] = []
        for header in self.headers:
            run = range(header["first_sequence"], header["first_sequence"] + header["count"])
            found += run if set(run) & set(self.plan.selected) else []
        return found

    def files(self) -> dict[str, bytes]:
        scope = "complete" if self.plan.selected is None else "selection"
        members = {
            "origin": ORIGIN,
            "scope": scope,
            "filters": {} if scope == "complete" else {"kind": "test"},
            "tree_size": len(self.leaves),
        }
        return listed(self.content(), **(members | self.plan.manifest))


def listed(content: dict[str, bytes], **members: Any) -> dict[str, bytes]:
    """Return the files with a manifest that lists exactly these bytes."""
    manifest = {
        "bundle": 1,
        "created_at": time_of(3000),
        "files": {path: sha256(data).hex() for path, data in content.items()},
        "software": "test 1",
    } | members
    raw = canonical(manifest)
    digest = f"{sha256(raw).hex()}  manifest.json\n".encode()
    return {**content, "manifest.json": raw, "manifest.sha256": digest}


def relisted(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return changed files with their manifest made anew, as a forger would."""
    kept = json.loads(files["manifest.json"])
    content = {path: data for path, data in files.items() if not path.startswith("manifest.")}
    members = {name: kept[name] for name in kept if name != "files"}
    return listed(content, **members)


def write(files: dict[str, bytes], folder: Path) -> Path:
    for path, data in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return folder
