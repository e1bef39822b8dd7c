"""Turning the ledger's key: an act of two persons, and the checkpoint that both keys sign.

In the folder of the key lie ``ledger.key``, while a turn waits ``ledger-next.key``, and where the
persons chose to keep them former keys as ``ledger-<key id>.key``. The act writes the next key and
a record that two persons sign; the sealer, seeing both, adds the public key to the list, signs
the next checkpoint with both keys, and only then puts the next key in the place of the former.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import transaction

from audit import checkpoint, keys, ledger, signatures
from audit.models import Record, Role, Signature, User
from audit.outside.alarms import STREAM
from audit.proofs import SigningProof
from audit.refusals import Refused

ROTATED = "audit.key.rotated"
DESTROY, ARCHIVE = "destroyed", "archived"
_PEM = (
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)


class TurnRefused(Refused):
    """The ledger's key is not turned as asked."""

    act = "audit.key"
    stream = STREAM


class KeyPlace:
    """The files of the ledger's key."""

    def __init__(self, private: Path, public: Path, origin: str) -> None:
        self.private, self.public, self.origin = private, public, origin
        self.next = private.with_name(f"{private.stem}-next{private.suffix}")

    def in_force(self) -> checkpoint.PublicKey | None:
        """Return the public half of the key in force; None where its file is gone."""
        return self._public_of(self.private)

    def waiting(self) -> checkpoint.PublicKey | None:
        """Return the public half of the key that waits for its turn."""
        return self._public_of(self.next)

    def _public_of(self, path: Path) -> checkpoint.PublicKey | None:
        if not path.exists():
            return None
        return checkpoint.public_key(self.origin, keys.signing_key(path))

    def make_next(self) -> checkpoint.PublicKey:
        key = Ed25519PrivateKey.generate()
        replace_file(self.next, key.private_bytes(*_PEM))
        return checkpoint.public_key(self.origin, key)

    def list_public(self, key: checkpoint.PublicKey) -> None:
        """Add a key to the end of the list of public keys, unless it is in it."""
        if key not in keys.public_keys(self.public):
            text = self.public.read_text(encoding="utf-8")
            replace_file(self.public, f"{text.rstrip()}\n{key}\n".encode())

    def put_in_force(self, old_key: str) -> None:
        """Put the next key in the place of the former, which is destroyed or archived."""
        former = self.in_force()
        if former is not None and old_key == ARCHIVE:
            kept = self.private.with_name(f"{self.private.stem}-{former.key_id.hex()}.key")
            replace_file(kept, self.private.read_bytes())
        elif former is not None:
            overwrite(self.private)
        self.next.replace(self.private)
        _sync(self.private.parent)


@transaction.atomic
def record_turn(
    place: KeyPlace,
    following: checkpoint.PublicKey,
    *,
    signers: Sequence[tuple[User, SigningProof]],
    reason: str,
    old_key: str,
) -> Record:
    """Write the record of a turn to ``following``, signed by two persons.

    The first is a system administrator, the second a QA approver. Raises SignatureRefused,
    NotEntitled, TurnRefused.
    """
    former = place.in_force()
    told: dict[str, Any] = {
        "former": str(former or _last_listed(place)),
        "next": str(following),
        "lost": former is None,
        "old_key": old_key,
    }
    if len({user.pk for user, _ in signers}) != 2:
        raise TurnRefused("the ledger's key is turned by two different persons")
    record = ledger.append(
        stream=STREAM, kind=ROTATED, actor=signers[0][0], reason=reason, data=told
    )
    asked = zip(signers, _PARTS, strict=True)
    for number, ((user, proof), (role, meaning)) in enumerate(asked):
        signatures.sign(
            record,
            signer=user,
            proof=proof,
            meaning=meaning,
            reason=reason,
            view=told,
            roles=(role,),
            authors=[one for one, _ in signers[:number]],
        )
    return record


_PARTS = (
    (Role.SYSTEM_ADMINISTRATOR, signatures.Meaning.RESPONSIBILITY),
    (Role.QA_APPROVER, signatures.Meaning.APPROVAL),
)


def rotate(
    place: KeyPlace,
    *,
    signers: Sequence[tuple[User, SigningProof]],
    reason: str,
    old_key: str = DESTROY,
    is_lost: bool = False,
) -> checkpoint.PublicKey:
    """Begin a turn of the key and return the next public key; the sealer completes it.

    With ``is_lost`` there is no former key to sign: the next one is in force at once. Raises
    TurnRefused where the files say otherwise; a refused act leaves no key behind.
    """
    if place.next.exists():
        raise TurnRefused(
            f"{place.next} waits for its turn already",
            what_to_do="Let the sealer complete that turn, then begin another.",
        )
    if is_lost == place.private.exists():
        there = "is there" if is_lost else "is missing"
        raise TurnRefused(
            f"{place.private} {there}",
            what_to_do="A key is turned with its file, or with --lost without it.",
        )
    following = place.make_next()
    try:
        record_turn(place, following, signers=signers, reason=reason, old_key=old_key)
    except BaseException:
        place.next.unlink()
        raise
    if is_lost:
        settle(place, None)
    return following


def _last_listed(place: KeyPlace) -> checkpoint.PublicKey | None:
    listed = [k for k in keys.public_keys(place.public) if k.algorithm == checkpoint.ED25519]
    return listed[-1] if listed else None


def authorised(following: checkpoint.PublicKey) -> Record | None:
    """Return the record by which two persons let this key follow; None where there is none."""
    for record in Record.objects.filter(stream=STREAM, kind=ROTATED).order_by("-id"):
        if ledger.content(record)["data"]["next"] == str(following):
            signed = Signature.objects.filter(signed=record).values("signer").distinct()
            return record if signed.count() >= 2 else None
    return None


def settle(place: KeyPlace, newest: str | None) -> None:
    """Complete a turn that was cut short: after its checkpoint, or with the former key lost.

    ``newest`` is the newest checkpoint. Without a signed record nothing is put in force.
    """
    following = place.waiting()
    record = authorised(following) if following else None
    if following is None or record is None:
        return
    has_turned = newest is not None and following in checkpoint.signers(
        checkpoint.parse_note(newest), [following]
    )
    facts = ledger.content(record)["data"]
    if has_turned or (facts["lost"] and not place.private.exists()):
        place.list_public(following)
        place.put_in_force(facts["old_key"])


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file in one step by one of mode 0600, on disk when this returns."""
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync(path.parent)


def overwrite(path: Path) -> None:
    """Overwrite a file's bytes where they lie, as far as the file system lets one."""
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
