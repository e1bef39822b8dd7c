"""Electronic signatures (21 CFR 11.50, 11.70, 11.200): prove, sign, show.

``prove`` runs before the act, in a transaction of its own; ``sign`` inside the act's transaction.
What is signed is a manifest: who, when, in which meaning and why, on which view, of which record.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from audit import canonical, ledger
from audit.credentials import next_code_at
from audit.identity import current_roles
from audit.models import Record, Role, Signature, User
from audit.proofs import KINDS, LIFE, METHOD, SIGNING, SignatureRefused, SigningProof, prove
from audit.recovery import clock
from audit.refusals import NotEntitled, Refused
from audit.retention.citation import is_dropped

MANIFEST = 1  # version
KIND = "audit.signature.made"


class Meaning(models.TextChoices):
    """What a signature stands for (21 CFR 11.50(a)(3))."""

    AUTHORSHIP = "authorship", "Authorship"
    REVIEW = "review", "Review"
    VERIFICATION = "verification", "Verification"
    APPROVAL = "approval", "Approval"
    REJECTION = "rejection", "Rejection"
    RELEASE = "release", "Release"
    WITHDRAWAL = "withdrawal", "Withdrawal"
    RESPONSIBILITY = "responsibility", "Responsibility"


class ViewChanged(Refused):
    """What would be shown now is not what was shown when the person decided to sign."""

    act = "audit.signature"
    what_to_do = "Read the page again as it is now, then sign."


def view_digest(document: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of a view's canonical text: the digest a page carries along."""
    return hashlib.sha256(canonical.encode(document)).hexdigest()


def require_view(document: dict[str, Any], claimed_digest: str) -> None:
    """Raise ViewChanged unless ``document``, as it is now, is what the person was shown."""
    present = view_digest(document)
    if not hmac.compare_digest(present.encode(), claimed_digest.strip().lower().encode()):
        raise ViewChanged(
            "what you were shown has changed since",
            data={"shown": claimed_digest[:64], "present": present},
        )


def sign(
    record: Record,
    *,
    signer: User,
    proof: SigningProof,
    meaning: str,
    reason: str,
    view: dict[str, Any],
    roles: Iterable[str] = (),
    authors: Iterable[Any] = (),
    now: datetime | None = None,
) -> Signature:
    """Sign a record inside the caller's transaction.

    ``view`` is the document the person was shown (kept as a blob, its digest in the manifest);
    ``roles`` are those that permit the act, any when empty; ``authors`` are people or their ids
    who may not sign, because the thing is of their making or they signed it already. Raises
    SignatureRefused, NotEntitled.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("sign belongs into the transaction of the act that it signs")
    clock.require_agreement()
    now = now or timezone.now()
    held = _entitled(signer, roles=roles, authors=authors)
    proved = _checked_proof(proof, signer=signer, now=now)
    reason = _checked_words(meaning, reason)
    digest = ledger.put_blob(canonical.encode(view), "application/json")
    signature = Signature(signed=record, signer=signer, meaning=meaning, signed_at=now)
    signature.proof = proved
    signature.manifest = _manifest(signature, held, reason, digest)
    _store(signature, reason)
    return signature


def _entitled(signer: User, *, roles: Iterable[str], authors: Iterable[Any]) -> list[str]:
    held, wanted = current_roles(signer), set(roles)
    if not held:
        raise _not_entitled(f"{signer.printed_name} holds no role")
    if wanted and not held & wanted:
        labels = " or ".join(sorted(Role(role).label.lower() for role in wanted))
        raise _not_entitled(f"{signer.printed_name} may not sign this: that is for a {labels}")
    if signer.pk in {_key(author) for author in authors if author is not None}:
        raise _not_entitled(
            f"{signer.printed_name} had a part in this and may not sign it",
            what_to_do="Leave it to a colleague who had no part in it.",
        )
    return sorted(held)


def _not_entitled(reason: str, **options: Any) -> NotEntitled:
    return NotEntitled(reason, act="audit.signature", **options)


def _key(person: Any) -> UUID:
    key = getattr(person, "pk", person)
    return key if isinstance(key, UUID) else UUID(str(key))


def _checked_proof(proof: SigningProof, *, signer: User, now: datetime) -> Record:
    """Return the proof's record; the proof itself is believed nothing."""
    told = Record.objects.filter(pk=proof.record_id, kind=KINDS[SIGNING][0]).first()
    if told is None or not ledger.is_intact(told) or bytes(told.leaf) != proof.leaf:
        raise _refused("the proof is not on record")
    content = ledger.content(told)
    if content["data"]["purpose"] != SIGNING:
        raise _refused("the proof was not given for signing")
    if content["actor"]["id"] != str(signer.pk) or proof.signer_id != signer.pk:
        raise _refused("the proof is another person's")
    age = now - datetime.fromisoformat(content["occurred_at"])
    if abs(age) > LIFE:
        raise _refused(f"the proof is older than {LIFE.seconds // 60} minutes")
    if Signature.objects.filter(proof=told).exists():
        raise _refused("the proof has served another signature")
    return told


def _refused(reason: str) -> SignatureRefused:
    return SignatureRefused(reason)


def _checked_words(meaning: str, reason: str) -> str:
    if meaning not in Meaning.values:
        raise SignatureRefused(
            f"{meaning!r} is no meaning of a signature",
            what_to_do=f"Use one of {', '.join(Meaning.values)}.",
        )
    if not reason.strip():
        raise SignatureRefused("the reason is missing", what_to_do="Say why in a few words.")
    return reason.strip()


def site_time(moment: datetime) -> str:
    """Return a moment in the site's zone with its offset, to the second."""
    zone = ZoneInfo(settings.SITE_TIME_ZONE)
    return moment.astimezone(zone).isoformat(timespec="seconds")


def _manifest(signature: Signature, roles: list[str], reason: str, view: str) -> str:
    signer, signed = signature.signer, signature.signed
    return canonical.encode(
        {
            "v": MANIFEST,
            "id": signature.pk,
            "signer": {
                "id": signer.pk,
                "username": signer.username,
                "printed_name": signer.printed_name,
                "roles": roles,
            },
            "signed_at": signature.signed_at,
            "signed_at_site": site_time(signature.signed_at),
            "site_time_zone": settings.SITE_TIME_ZONE,
            "meaning": signature.meaning,
            "reason": reason,
            "view": view,
            "record": {"id": signed.pk, "kind": signed.kind, "leaf": bytes(signed.leaf)},
            "proof": bytes(signature.proof.leaf),
            "method": METHOD,
        }
    ).decode()


def _store(signature: Signature, reason: str) -> None:
    record = ledger.append(
        stream=signature.signed.stream,
        kind=KIND,
        actor=signature.signer,
        subject=signature,
        new=signature.state_fields(),
        reason=reason,
        parents=[signature.signed.leaf, signature.proof.leaf],
        blobs=[canonical.decode(signature.manifest.encode())["view"]],
        occurred_at=signature.signed_at,
    )
    try:
        with transaction.atomic():
            signature.save(record=record)
    except IntegrityError as error:
        if "proof" not in str(error):
            raise
        raise _refused("the proof has served another signature") from error


@dataclass(frozen=True, slots=True)
class ShownSignature:
    """A signature as it stands wherever its record is shown (21 CFR 11.50(b))."""

    id: UUID
    printed_name: str
    username: str
    roles: tuple[str, ...]
    meaning: str
    reason: str
    signed_at: datetime
    signed_at_site: str
    view: str
    record_leaf: str  # hex: of the record of the signature itself
    flaw: str | None  # why it does not hold; None when it does

    @property
    def is_valid(self) -> bool:
        return self.flaw is None


def signatures_of(record: Record) -> list[ShownSignature]:
    """Return the signatures on a record, oldest first, each checked against what it signed."""
    rows = Signature.objects.filter(signed=record).select_related("signed", "proof", "record")
    return [shown(row) for row in rows.order_by("id")]


def shown(signature: Signature) -> ShownSignature:
    """Return one signature for display; a damaged one comes with its flaw."""
    try:
        told = canonical.decode(signature.manifest.encode())
        signer = told["signer"]
        return ShownSignature(
            id=signature.pk,
            printed_name=signer["printed_name"],
            username=signer["username"],
            roles=tuple(Role(role).label for role in signer["roles"]),
            meaning=Meaning(told["meaning"]).label,
            reason=told["reason"],
            signed_at=datetime.fromisoformat(told["signed_at"]),
            signed_at_site=told["signed_at_site"],
            view=told["view"],
            record_leaf=bytes(signature.record.leaf).hex(),
            flaw=_flaw(signature, told),
        )
    except (canonical.NotCanonical, KeyError, TypeError, ValueError):
        return _unreadable(signature)


def _unreadable(signature: Signature) -> ShownSignature:
    return ShownSignature(
        id=signature.pk,
        printed_name="(unreadable)",
        username="",
        roles=(),
        meaning=signature.meaning,
        reason="",
        signed_at=signature.signed_at,
        signed_at_site=site_time(signature.signed_at),
        view="",
        record_leaf=bytes(signature.record.leaf).hex(),
        flaw="its manifest cannot be read",
    )


def _flaw(signature: Signature, told: dict[str, Any]) -> str | None:
    """Return the first thing that does not fit between signature, manifest and record."""
    signed, made, proof = signature.signed, signature.record, signature.proof
    if not _is_whole(signed) or told["record"]["leaf"] != bytes(signed.leaf).hex():
        return "the record is not the one that was signed"
    if not (_is_whole(made) and _is_whole(proof)):
        return "the record of the signature was altered"
    if told["proof"] != bytes(proof.leaf).hex():
        return "the proof is not the one that was given"
    return _flaw_of_texts(signature, told)


def _is_whole(record: Record) -> bool:
    """Whether a record is as it was written; of one dropped after its time the leaf stands."""
    return is_dropped(record) or ledger.is_intact(record)


def _flaw_of_texts(signature: Signature, told: dict[str, Any]) -> str | None:
    """Compare with what the records say, as far as their text is still here."""
    made, proof = signature.record, signature.proof
    if not is_dropped(made):
        change = ledger.content(made)["changes"][0]
        if change["subject"] != signature.subject() or change["new"] != signature.state_fields():
            return "the signature is not what its record says"
    if not is_dropped(proof):
        if proof.kind != KINDS[SIGNING][0]:
            return "the proof is not the one that was given"
        if ledger.content(proof)["actor"]["id"] != told["signer"]["id"]:
            return "the proof is another person's"
    if (told["signer"]["id"], told["meaning"]) != (str(signature.signer_id), signature.meaning):
        return "the manifest is not of this signature"
    return None


__all__ = [
    "Meaning",
    "NotEntitled",
    "ShownSignature",
    "SignatureRefused",
    "SigningProof",
    "ViewChanged",
    "next_code_at",
    "prove",
    "require_view",
    "shown",
    "sign",
    "signatures_of",
    "view_digest",
]
