"""That time has passed, shown by more than the database's clock. Pure but for reading a folder.

A forwarded clock must not open what is kept. Two kinds of evidence, as the signed policy says:
the newest time that a witness cosigned, or the days on which checkpoints were kept. Days count
as far as they were lived through: a gap longer than ``LONGEST_GAP`` is a clock put forward, not
a time that passed.
"""

import struct
from base64 import b64decode
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit import checkpoint

LONGEST_GAP = timedelta(days=31)  # a site may stand still for a month, checkpoints with it
_COSIGNATURE = b"\x04"  # algorithm byte of a witness's key
_LINE = 4 + 8 + 64  # bytes: key id, time, signature


class WitnessKeyWrong(ValueError):
    """A text that is not the public key of a witness."""


def witness_key(text: str) -> tuple[str, bytes, Ed25519PublicKey]:
    """Read ``name+id+base64`` of a witness; return its name, key id and key."""
    name, _, rest = text.partition("+")
    given, _, encoded = rest.partition("+")
    try:
        content = b64decode(encoded, validate=True)
        identity = sha256(name.encode() + b"\n" + content).digest()[:4]
        right = content[:1] == _COSIGNATURE and identity.hex() == given
        key = Ed25519PublicKey.from_public_bytes(content[1:])
    except ValueError as error:
        raise WitnessKeyWrong(f"{text!r}: {error}") from error
    if not right:
        raise WitnessKeyWrong(f"{text!r} is not the key of a witness, or its id is wrong")
    return name, identity, key


def cosigned_times(note: str, witnesses: Iterable[str]) -> list[datetime]:
    """Return when known witnesses cosigned a checkpoint; a wrong line counts nothing."""
    keys = {(name, identity): key for name, identity, key in map(witness_key, witnesses)}
    read, found = checkpoint.parse_note(note), []
    for line in read.signatures:
        key, content = keys.get((line.name, line.key_id)), line.signature
        if key is None or len(content) != _LINE - 4:
            continue
        seconds = struct.unpack(">Q", content[:8])[0]
        message = f"cosignature/v1\ntime {seconds}\n{read.body}".encode()
        try:
            key.verify(content[8:], message)
        except InvalidSignature:
            continue
        found.append(datetime.fromtimestamp(seconds, UTC))
    return found


def kept_days(folder: Path) -> list[date]:
    """Return the days of which a folder outside the database holds checkpoints."""
    days = []
    for path in folder.glob("*.jsonl"):
        try:
            days.append(date.fromisoformat(path.stem))
        except ValueError:
            continue  # another file: no evidence of a day
    return sorted(days)


def lived_until(days: Iterable[date], since: date) -> date | None:
    """Return the last day reached from ``since`` on without a gap; None when there is none."""
    reached = since
    for day in sorted(days):
        if day < since:
            continue
        if day - reached > LONGEST_GAP:
            break
        reached = day
    return reached if reached > since else None


def moment_of(lived: date | None, stepped: timedelta) -> datetime | None:
    """Return the moment up to which time is shown, less what the clock was stepped forward."""
    if lived is None:
        return None
    return datetime(lived.year, lived.month, lived.day, tzinfo=UTC) - stepped
