"""How the vectors of format version 1 were made. They are never made again: see their README."""

import base64
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import canonical, chain, checkpoint, merkle
from tests.audit.made_ledger import ORIGIN, START, MadeLedger, key_of

SIZES = [*range(18), *range(255, 259)]
SHOWN_FROM = 255  # of larger trees only some proofs are kept
CANONICAL: list[tuple[str, Any]] = [
    ("nothing", None),
    ("truth", True),
    ("largest integer", 2**53 - 1),
    ("smallest integer", -(2**53) + 1),
    ("empty object", {}),
    ("empty list", []),
    ("names in order", {"b": 1, "a": 2, "B": 3, "": 4, "aa": 5, "10": 6, "9": 7}),
    ("nested", {"a": [{"c": None, "b": [True, False]}]}),
    ("escapes", '\b\t\n\f\r"\\/\x00\x1f\x7f'),
    ("text beyond ASCII", "größer \N{GREEK SMALL LETTER MU} € \U0001f9ea"),
    ("composed and decomposed are two texts", ["\u00e9", "e\u0301"]),
    ("measured value", canonical.number(253.15, "K")),
    ("minus zero", canonical.number(-0.0, "1")),
    ("exponents", [canonical.number(1e21, "1"), canonical.number(1.5e-7, "1")]),
    ("time", canonical.timestamp(START)),
]
REFUSED = [
    ("spaces", '{"a": 1}'),
    ("names out of order", '{"b":1,"a":2}'),
    ("a name twice", '{"a":1,"a":1}'),
    ("a floating-point number", "1.5"),
    ("an exponent", "1e3"),
    ("an integer too large", "9007199254740992"),
    ("minus zero as a number", "-0"),
    ("an escape that is not needed", '"\\u0061"'),
    ("half of a surrogate pair", '"\\ud800"'),
    ("upper case of an escape", '"\\u001F"'),
    ("not a number", "NaN"),
    ("trailing comma", "[1,]"),
]


def canonical_vectors() -> dict[str, Any]:
    """Texts as they must be, with their SHA-256, and texts that must be refused."""
    made = [(name, canonical.encode(value)) for name, value in CANONICAL]
    return {
        "canonical": [
            {"name": name, "sha256": hashlib.sha256(text).hexdigest(), "text": text.decode()}
            for name, text in made
        ],
        "refused": [{"name": name, "text": text} for name, text in REFUSED],
    }


def block_vectors() -> list[dict[str, Any]]:
    """Payloads, leaves, index lines, header and hash of each block of a small ledger."""
    made = MadeLedger()
    return [
        {
            "payloads": [p.decode() for p in made.payloads[h.first_sequence : h.end]],
            "leaves": [e.leaf.hex() for e in made.entries[h.first_sequence : h.end]],
            "index_lines": [e.line.decode() for e in made.entries[h.first_sequence : h.end]],
            "header": h.encode().decode(),
            "hash": h.hash,
        }
        for h in made.headers
    ]


def leaf(number: int) -> bytes:
    """Return the leaf hash of the decimal text of a number."""
    return merkle.leaf_hash(str(number).encode())


def tree_vectors() -> list[dict[str, Any]]:
    """Root, inclusion and consistency proofs of trees whose leaf n is that of the text of n."""
    found = []
    for size in SIZES:
        leaves = [leaf(number) for number in range(size)]
        fetch = merkle.fetch_from_leaves(leaves)
        some = sorted({0, 1, 127, 128, size // 2, size - 2, size - 1})
        chosen = some if size >= SHOWN_FROM else list(range(size))
        found.append(
            {
                "size": size,
                "root": merkle.root(leaves).hex(),
                "inclusion": {
                    str(n): [h.hex() for h in merkle.inclusion_proof(n, size, fetch)]
                    for n in chosen
                },
                "consistency": {
                    str(n): [h.hex() for h in merkle.consistency_proof(n, size, fetch)]
                    for n in chosen
                    if n
                },
            }
        )
    return found


WITNESS = "witness.example/w1"
COSIGNED_AT = int(START.timestamp()) + 60


def cosignature(note: str, key: Ed25519PrivateKey, at: int = COSIGNED_AT) -> str:
    """Return the signature line of a witness (C2SP tlog-cosignature)."""
    body = checkpoint.parse_note(note).body
    content = b"\x04" + key.public_key().public_bytes_raw()
    identity = hashlib.sha256(WITNESS.encode() + b"\n" + content).digest()[:4]
    signature = key.sign(f"cosignature/v1\ntime {at}\n{body}".encode())
    encoded = base64.b64encode(identity + struct.pack(">Q", at) + signature).decode()
    return f"— {WITNESS} {encoded}"


def witness_text(key: Ed25519PrivateKey) -> str:
    content = b"\x04" + key.public_key().public_bytes_raw()
    identity = hashlib.sha256(WITNESS.encode() + b"\n" + content).digest()[:4]
    return f"{WITNESS}+{identity.hex()}+{base64.b64encode(content).decode()}"


def signed_also(note: str, key: Ed25519PrivateKey) -> str:
    """Return a note with the line of a second key of the ledger: the key turns here."""
    second = checkpoint.sign_text(checkpoint.parse_note(note).body, name=ORIGIN, key=key)
    return checkpoint.add_line(note, second.rstrip("\n").rpartition("\n")[2])


def checkpoint_vectors() -> dict[str, Any]:
    """A checkpoint, cosigned, and one at which the key turns; with what is wrong in others."""
    made, next_key, witness = MadeLedger(), key_of("the next key"), key_of("the witness")
    plain = made.notes[-1]
    cosigned = checkpoint.add_line(plain, cosignature(plain, witness))
    forged = cosignature(plain, key_of("another witness")).split(" ")[2]
    wrong = base64.b64decode(cosignature(plain, witness).split(" ")[2])[:4]
    line = base64.b64encode(wrong + base64.b64decode(forged)[4:]).decode()
    return {
        "keys": {
            "ledger": str(made.public),
            "next": str(checkpoint.public_key(ORIGIN, next_key)),
            "witness": witness_text(witness),
        },
        "plain": plain,
        "cosigned": cosigned,
        "cosigned_at": COSIGNED_AT,
        "turning": signed_also(plain, next_key),
        "wrong_cosignature": checkpoint.add_line(plain, f"— {WITNESS} {line}"),
        "wrong_signature": plain.replace(f"\n{made.tree.size}\n", f"\n{made.tree.size - 1}\n"),
    }


class ForkedLedger(MadeLedger):
    """A ledger that went on in another cluster; its checkpoints name their epoch."""

    def sign(self, header: chain.Header) -> str:
        origin = f"{header.origin}/epoch/{header.epoch}" if header.epoch else header.origin
        stated = checkpoint.Checkpoint(
            origin, header.tree_size, bytes.fromhex(header.root), header.number, header.hash
        )
        return checkpoint.sign(stated, name=self.key_name, key=self.key)


def forked() -> ForkedLedger:
    return ForkedLedger(sizes=(2, 3, 1, 2), checkpointed=(1, 3), fork_before=2)


TEXTS = {
    "canonical.json": canonical_vectors,
    "blocks.json": block_vectors,
    "tree.json": tree_vectors,
    "checkpoints.json": checkpoint_vectors,
}


def as_text(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write_new(folder: Path) -> None:
    """Write the vectors beside the first two bundles; it refuses to replace any."""
    for name, make in TEXTS.items():
        with (folder / name).open("x", encoding="utf-8") as file:
            file.write(as_text(make()))
    forked().write(folder / "fork", verifier=None)
