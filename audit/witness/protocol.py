"""What a witness answers to a request, decided from the request and what it holds. Pure."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from audit import checkpoint, merkle

LARGEST = 65_536  # bytes of a request
MOST_PROOF = 63  # lines, as the protocol has it
PLAIN, SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; ``is_evidence`` when the log has signed what cannot be of one history."""

    status: int
    body: str
    content_type: str = PLAIN
    is_evidence: bool = False


class Malformed(ValueError):
    """A request that is not of the protocol's form; the message says where."""


class Held(NamedTuple):
    """The newest cosigned checkpoint of a log; ``NOTHING`` before the first."""

    size: int
    root: bytes
    note: str


NOTHING = Held(0, merkle.EMPTY_ROOT, "")


@dataclass(frozen=True, slots=True)
class Request:
    """``old`` is the size that the log believes the witness holds."""

    old: int
    proof: tuple[bytes, ...]
    note: checkpoint.Note
    head: checkpoint.Head

    def as_text(self) -> str:
        """Return the request as it is sent."""
        lines = [f"old {self.old}", *(b64encode(one).decode() for one in self.proof), ""]
        return "\n".join(lines) + "\n" + self.note.text


def compose(old: int, proof: Iterable[bytes], note: str) -> str:
    """Return the body of an add-checkpoint request."""
    parsed = checkpoint.parse_note(note)
    return Request(old, tuple(proof), parsed, checkpoint.parse_head(parsed.body)).as_text()


def parse(body: bytes) -> Request:
    """Read an add-checkpoint request; raises Malformed."""
    if len(body) > LARGEST:
        raise Malformed(f"the request is larger than {LARGEST} bytes")
    try:
        before, separator, text = body.decode().partition("\n\n")
        note = checkpoint.parse_note(text)
        head = checkpoint.parse_head(note.body)
    except (UnicodeDecodeError, checkpoint.BadCheckpoint) as error:
        raise Malformed(f"the checkpoint cannot be read: {error}") from error
    first, *lines = before.split("\n")
    word, _, size = first.partition(" ")
    if not separator or word != "old" or not _is_decimal(size):
        raise Malformed("the first line is 'old', a space and a size")
    if len(lines) > MOST_PROOF:
        raise Malformed(f"a proof has at most {MOST_PROOF} lines")
    return Request(int(size), tuple(_hash(line) for line in lines), note, head)


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdigit() and str(int(text[:20])) == text


def _hash(line: str) -> bytes:
    try:
        found = b64decode(line, validate=True)
    except binascii.Error as error:
        raise Malformed(f"{line!r} is not base64") from error
    if len(found) != merkle.HASH_BYTES or b64encode(found).decode() != line:
        raise Malformed(f"{line!r} is not a hash in base64")
    return found


def refusal_of_signer(request: Request, keys: list[checkpoint.PublicKey] | None) -> Answer | None:
    """Refuse what no accepted log has signed; ``keys`` is None for an origin that is unknown."""
    if keys is None:
        return Answer(404, f"no log with the origin {request.head.origin!r} is accepted here\n")
    try:
        if checkpoint.signers(request.note, keys):
            return None
        reason = "no accepted key of this log signed the checkpoint"
    except checkpoint.BadCheckpoint as error:
        reason = str(error)
    return Answer(403, f"{reason}\n")


def refusal_of_history(request: Request, held: Held) -> Answer | None:
    """Refuse what does not go on from ``held``; None when the checkpoint may be cosigned.

    Call it, and store the new checkpoint, in one transaction: see ``state``.
    """
    old, (_, size, root) = request.old, request.head
    if old > size:
        return Answer(400, "the old size is larger than the checkpoint's\n")
    if old != held.size:
        return Answer(409, f"{held.size}\n", SIZE)
    if old == size:
        return _refusal_of_same(request, held)
    if old == 0:  # every tree goes on from the empty one
        is_consistent = not request.proof
    else:
        is_consistent = merkle.verify_consistency(
            first=old,
            second=size,
            first_root=held.root,
            second_root=root,
            proof=request.proof,
        )
    if not is_consistent:
        told = f"the proof does not lead from {old} to {size} records\n"
        return Answer(422, told, is_evidence=old > 0)
    return None


def _refusal_of_same(request: Request, held: Held) -> Answer | None:
    if request.head.root != held.root:
        return Answer(409, f"{held.size}\n", SIZE, is_evidence=True)
    if request.proof:
        return Answer(422, "between equal sizes the proof is empty\n")
    return None
