"""Checkpoints: signed statements of the tree's size and root (C2SP tlog-checkpoint, signed-note).

A note is its text, an empty line and signature lines. Lines of keys we do not know, such as
cosignatures of witnesses, are kept as they came. Ed25519 (RFC 8032) over the text.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"  # algorithm byte of the note format
_KEY_BYTES, _KEY_ID_BYTES = 32, 4
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_BLOCK_LINE = re.compile(r"block (0|[1-9][0-9]{0,18}) ([0-9a-f]{64})")
_SIGNATURE_LINE = re.compile(r"— (?P<name>[^\s+\x00-\x1f]+) (?P<content>[A-Za-z0-9+/]+=*)")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class BadCheckpoint(ValueError):
    """A note, a key or a signature that cannot be accepted; the message says why."""


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

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, self.raw)

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64encode(_ED25519 + self.raw).decode()}"


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


def key_id(name: str, raw: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:_KEY_ID_BYTES]


def public_key(name: str, key: Ed25519PublicKey | Ed25519PrivateKey) -> PublicKey:
    """The public half of a key under ``name``; raises BadCheckpoint for an unusable name."""
    if not _NAME.fullmatch(name):
        raise BadCheckpoint(f"the key name {name!r} is empty or has a space or a plus sign")
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return PublicKey(name, public.public_bytes_raw())


def vkey(name: str, key: Ed25519PublicKey | Ed25519PrivateKey) -> str:
    """The key's public half as text: ``name+id+base64``."""
    return str(public_key(name, key))


def parse_vkey(text: str) -> PublicKey:
    """Read ``name+id+base64``; raises BadCheckpoint unless every part fits the others."""
    name, _, rest = text.partition("+")
    _, _, encoded = rest.partition("+")
    content = _strict_base64(encoded)
    if content[:1] != _ED25519 or len(content) != 1 + _KEY_BYTES or not _NAME.fullmatch(name):
        raise BadCheckpoint(f"{text!r} is not an Ed25519 key of the form name+id+base64")
    key = PublicKey(name, content[1:])
    if str(key) != text:
        raise BadCheckpoint(f"the key id in {text!r} is not {key.key_id.hex()}")
    return key


def sign(checkpoint: Checkpoint, *, name: str, key: Ed25519PrivateKey) -> str:
    """Return the checkpoint as a note signed by ``key`` under ``name``."""
    parse_body(checkpoint.body)
    return sign_text(checkpoint.body, name=name, key=key)


def sign_text(body: str, *, name: str, key: Ed25519PrivateKey) -> str:
    """Return any text as a signed note; the text ends with a newline."""
    if not body.endswith("\n") or _CONTROL.search(body):
        raise BadCheckpoint("a note's text ends with a newline and has no control characters")
    public = public_key(name, key)
    content = b64encode(public.key_id + key.sign(body.encode())).decode()
    return f"{body}\n— {name} {content}\n"


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


def parse_body(body: str) -> Checkpoint:
    """Read the text of a checkpoint; raises BadCheckpoint unless it is in its only form."""
    lines = body.split("\n")
    if len(lines) != 5 or lines[4] or not lines[0] or _CONTROL.search(body):
        raise BadCheckpoint("a checkpoint is four lines: origin, size, root, block")
    origin, size, root, block = lines[:4]
    found = _BLOCK_LINE.fullmatch(block)
    if not _DECIMAL.fullmatch(size) or found is None or len(_strict_base64(root)) != 32:
        raise BadCheckpoint("size, root or block line of the checkpoint is malformed")
    return Checkpoint(origin, int(size), _strict_base64(root), int(found[1]), found[2])


def parse(text: str) -> Checkpoint:
    """The checkpoint in a note, its signatures not yet checked: see ``verify``."""
    return parse_body(parse_note(text).body)


def verify(text: str, keys: Iterable[PublicKey]) -> Checkpoint:
    """Return the checkpoint of a note that one of ``keys`` signed.

    Raises BadCheckpoint if a line of a known key is wrong, or no known key signed.
    """
    note = parse_note(text)
    if not signers(note, keys):
        raise BadCheckpoint("no known key signed this checkpoint")
    return parse_body(note.body)


def signers(note: Note, keys: Iterable[PublicKey]) -> list[PublicKey]:
    """The known keys that signed; raises BadCheckpoint if a line of a known key is wrong."""
    known = {(key.name, key.key_id): key for key in keys}
    found = []
    for line in note.signatures:
        if (key := known.get((line.name, line.key_id))) is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.raw).verify(line.signature, note.body.encode())
        except InvalidSignature as error:
            raise BadCheckpoint(f"the signature of {key.name} does not fit the text") from error
        found.append(key)
    return found


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
