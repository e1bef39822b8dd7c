"""Checkpoints: signed statements of the tree's size and root (C2SP tlog-checkpoint, signed-note).

A note is its text, an empty line and signature lines. Three kinds of lines are known here:
Ed25519 (RFC 8032) over the text, a witness's dated cosignature, and ML-DSA-44 (FIPS 204) over
origin, size and root (both C2SP tlog-cosignature). Lines of other keys are kept as they came.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

ED25519, COSIGNATURE, ML_DSA_44 = 0x01, 0x04, 0x06  # algorithm bytes of the note format
_KEY_BYTES = {ED25519: 32, COSIGNATURE: 32, ML_DSA_44: 1312}
_KEY_ID_BYTES, _TIME_BYTES = 4, 8
_LONGEST_NAME = 255  # bytes: what one length byte can tell
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_BLOCK_LINE = re.compile(r"block (0|[1-9][0-9]{0,18}) ([0-9a-f]{64})")
_VKEY = re.compile(r"[^\s+]+\+[0-9a-f]{8}\+([A-Za-z0-9+/]+=*)")
_SIGNATURE_LINE = re.compile(r"— (?P<name>[^\s+\x00-\x1f]+) (?P<content>[A-Za-z0-9+/]+=*)")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


Cosigner = Ed25519PrivateKey | MLDSA44PrivateKey


class BadCheckpoint(ValueError):
    """A note, a key or a signature that cannot be accepted; the message says why."""


class Head(NamedTuple):
    """What any log's checkpoint states."""

    origin: str
    tree_size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The statement: ``tree_size`` records have ``root``; block ``block_number`` is the last."""

    origin: str
    tree_size: int
    root: bytes
    block_number: int
    block_hash: str

    @property
    def body(self) -> str:
        """The signed text; it ends with a newline."""
        return (
            f"{self.origin}\n{self.tree_size}\n{b64encode(self.root).decode()}\n"
            f"block {self.block_number} {self.block_hash}\n"
        )


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A verification key under its name; ``str`` gives its text form."""

    name: str
    raw: bytes
    algorithm: int = ED25519

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, self.raw, self.algorithm)

    def __str__(self) -> str:
        typed = b64encode(bytes([self.algorithm]) + self.raw).decode()
        return f"{self.name}+{self.key_id.hex()}+{typed}"


@dataclass(frozen=True, slots=True)
class SignatureLine:
    name: str
    key_id: bytes
    signature: bytes  # 64 bytes for Ed25519, other lengths for keys of other kinds


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note; ``text`` is the note exactly as it came."""

    text: str
    body: str
    signatures: tuple[SignatureLine, ...]


def key_id(name: str, raw: bytes, algorithm: int = ED25519) -> bytes:
    named = name.encode() + b"\n" + bytes([algorithm]) + raw
    return hashlib.sha256(named).digest()[:_KEY_ID_BYTES]


def public_key(name: str, key: Ed25519PublicKey | Ed25519PrivateKey) -> PublicKey:
    """The public half of a key under ``name``; raises BadCheckpoint for an unusable name."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return _named(name, public.public_bytes_raw(), ED25519)


def cosigning_key(name: str, key: Cosigner) -> PublicKey:
    """The public half of a key that makes dated cosignatures under ``name``."""
    algorithm = COSIGNATURE if isinstance(key, Ed25519PrivateKey) else ML_DSA_44
    return _named(name, key.public_key().public_bytes_raw(), algorithm)


def _named(name: str, raw: bytes, algorithm: int) -> PublicKey:
    if not _NAME.fullmatch(name) or len(name.encode()) > _LONGEST_NAME:
        raise BadCheckpoint(f"the key name {name!r} is empty, too long, or has a space or plus")
    return PublicKey(name, raw, algorithm)


def vkey(name: str, key: Ed25519PublicKey | Ed25519PrivateKey) -> str:
    """The key's public half as text: ``name+id+base64``."""
    return str(public_key(name, key))


def parse_vkey(text: str) -> PublicKey:
    """Read ``name+id+base64``; raises BadCheckpoint unless every part fits the others."""
    name, _, rest = text.partition("+")
    _, _, encoded = rest.partition("+")
    content = _strict_base64(encoded)
    algorithm = content[0] if content else 0
    if len(content) - 1 != _KEY_BYTES.get(algorithm) or not _NAME.fullmatch(name):
        raise BadCheckpoint(f"{text!r} is not a key of a known kind in the form name+id+base64")
    key = PublicKey(name, content[1:], algorithm)
    if str(key) != text:
        raise BadCheckpoint(f"the key id in {text!r} is not {key.key_id.hex()}")
    return key


def parse_vkeys(lines: Iterable[str]) -> list[PublicKey]:
    """Read keys, one a line; empty lines, ``#`` lines and keys of unknown kinds are passed over."""
    told = (line for line in lines if line and not line.startswith("#"))
    return [parse_vkey(line) for line in told if _algorithm(line) in _KEY_BYTES]


def _algorithm(text: str) -> int:
    """The algorithm byte of a key text; a known one for a malformed text, which is then refused."""
    found = _VKEY.fullmatch(text)
    return _strict_base64(found[1])[0] if found else ED25519


def sign(checkpoint: Checkpoint, *, name: str, key: Ed25519PrivateKey) -> str:
    """Return the checkpoint as a note signed by ``key`` under ``name``."""
    parse_body(checkpoint.body)
    return sign_text(checkpoint.body, name=name, key=key)


def sign_text(body: str, *, name: str, key: Ed25519PrivateKey) -> str:
    """Return any text as a signed note; the text ends with a newline."""
    if not body.endswith("\n") or _CONTROL.search(body):
        raise BadCheckpoint("a note's text ends with a newline and has no control characters")
    return f"{body}\n{signature_line(body, name=name, key=key)}\n"


def signature_line(body: str, *, name: str, key: Ed25519PrivateKey) -> str:
    """Return a ledger key's signature line over a text, for a note or for ``add_line``."""
    return _line(public_key(name, key), key.sign(body.encode()))


def cosign(body: str, *, name: str, key: Cosigner, at: int) -> str:
    """Return a dated cosignature line over a checkpoint's text; ``at`` is seconds since 1970."""
    public = cosigning_key(name, key)
    signature = key.sign(_dated(public, body, at))
    return _line(public, at.to_bytes(_TIME_BYTES, "big") + signature)


def _line(public: PublicKey, signature: bytes) -> str:
    return f"— {public.name} {b64encode(public.key_id + signature).decode()}"


def _dated(key: PublicKey, body: str, at: int) -> bytes:
    """What a dated cosignature is over: text with its time, or origin, size and root with it."""
    if key.algorithm == COSIGNATURE:
        return f"cosignature/v1\ntime {at}\n{body}".encode()
    head = parse_head(body)
    tree = (0).to_bytes(8, "big") + head.tree_size.to_bytes(8, "big") + head.root
    label = b"subtree/v1\n\0" + _counted(key.name)
    return label + at.to_bytes(_TIME_BYTES, "big") + _counted(head.origin) + tree


def _counted(text: str) -> bytes:
    content = text.encode()
    if len(content) > _LONGEST_NAME:
        raise BadCheckpoint(f"{text!r} is longer than {_LONGEST_NAME} bytes")
    return bytes([len(content)]) + content


def add_line(note: str, line: str) -> str:
    """Return the note with one more signature line, for instance a witness's cosignature."""
    longer = f"{note}{line}\n"
    parse_note(longer)
    return longer


def parse_note(text: str) -> Note:
    """Split a note into text and signature lines; raises BadCheckpoint if it is malformed."""
    if _CONTROL.search(text):
        raise BadCheckpoint("the note has control characters")
    body, separator, lines = text.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise BadCheckpoint("the note has no empty line before its signatures, or no last newline")
    signatures = tuple(_parse_signature(line) for line in lines[:-1].split("\n"))
    return Note(text, body + "\n", signatures)


def parse_head(body: str) -> Head:
    """Read origin, size and root of any log's checkpoint; further lines may follow them."""
    lines = body.split("\n")
    if len(lines) < 4 or not lines[0] or "" in lines[3:-1] or _CONTROL.search(body):
        raise BadCheckpoint("a checkpoint begins with three lines: origin, size, root")
    if not _DECIMAL.fullmatch(lines[1]) or len(_strict_base64(lines[2])) != 32:
        raise BadCheckpoint("size or root line of the checkpoint is malformed")
    return Head(lines[0], int(lines[1]), _strict_base64(lines[2]))


def parse_body(body: str) -> Checkpoint:
    """Read the text of a checkpoint; raises BadCheckpoint unless it is in its only form."""
    lines = body.split("\n")
    if len(lines) != 5 or lines[4] or not lines[0] or _CONTROL.search(body):
        raise BadCheckpoint("a checkpoint is four lines: origin, size, root, block")
    head, found = parse_head(body), _BLOCK_LINE.fullmatch(lines[3])
    if found is None:
        raise BadCheckpoint("the block line of the checkpoint is malformed")
    return Checkpoint(*head, int(found[1]), found[2])


def parse(text: str) -> Checkpoint:
    """The checkpoint in a note, its signatures not yet checked: see ``verify``."""
    return parse_body(parse_note(text).body)


def verify(text: str, keys: Iterable[PublicKey]) -> Checkpoint:
    """Return the checkpoint of a note that a ledger key among ``keys`` signed.

    Raises BadCheckpoint if a line of a known key is wrong, or no known ledger key signed: a
    cosignature alone says nothing of who made the checkpoint.
    """
    note = parse_note(text)
    if not any(key.algorithm == ED25519 for key in signers(note, keys)):
        raise BadCheckpoint("no known key signed this checkpoint")
    return parse_body(note.body)


def signers(note: Note, keys: Iterable[PublicKey]) -> list[PublicKey]:
    """The known keys that signed; raises BadCheckpoint if a line of a known key is wrong."""
    return [key for key, _ in signed_at(note, keys)]


def signed_at(note: Note, keys: Iterable[PublicKey]) -> list[tuple[PublicKey, int | None]]:
    """The known keys that signed, each with its time (seconds since 1970) where it gave one.

    Raises BadCheckpoint if a line of a known key is wrong.
    """
    known = {(key.name, key.key_id): key for key in keys}
    lines = ((line, known.get((line.name, line.key_id))) for line in note.signatures)
    return [(key, _time_of(line, key, note.body)) for line, key in lines if key is not None]


def _time_of(line: SignatureLine, key: PublicKey, body: str) -> int | None:
    """The time in a signature line, None in one without; raises BadCheckpoint if it is wrong."""
    message, signature, at = body.encode(), line.signature, None
    if key.algorithm != ED25519:
        at, signature = int.from_bytes(signature[:_TIME_BYTES], "big"), signature[_TIME_BYTES:]
        message = _dated(key, body, at)
    is_post_quantum = key.algorithm == ML_DSA_44
    kind = MLDSA44PublicKey if is_post_quantum else Ed25519PublicKey
    try:
        kind.from_public_bytes(key.raw).verify(signature, message)
    except InvalidSignature as error:
        raise BadCheckpoint(f"the signature of {key.name} does not fit the text") from error
    return at


def _parse_signature(line: str) -> SignatureLine:
    found = _SIGNATURE_LINE.fullmatch(line)
    if found is None:
        raise BadCheckpoint(f"{line!r} is not a signature line")
    content = _strict_base64(found["content"])
    if len(content) <= _KEY_ID_BYTES:
        raise BadCheckpoint(f"{line!r} is too short for a signature")
    return SignatureLine(found["name"], content[:_KEY_ID_BYTES], content[_KEY_ID_BYTES:])


def _strict_base64(text: str) -> bytes:
    """Standard base64 in its one spelling: no spaces, padding as needed, no stray bits."""
    try:
        content = b64decode(text, validate=True)
    except ValueError as error:
        raise BadCheckpoint(f"{text!r} is not base64") from error
    if b64encode(content).decode() != text:
        raise BadCheckpoint(f"{text!r} is not base64 in its usual spelling")
    return content
