"""Erasing personal text: a signed act that destroys a person's key.

Every hash, proof and signature goes on holding, and the text is gone. The printed name and the
user name stay: signatures must show them (21 CFR 11.50).
"""

from typing import Any

from django.db import transaction

from audit import canonical, ledger, merkle, signatures
from audit.credentials import STREAM, lock
from audit.models import PersonalKey, Record, Role, User
from audit.proofs import SigningProof
from audit.refusals import NotEntitled, Refused

KIND = "audit.personal.erased"


class ErasureRefused(Refused):
    """Personal text cannot be erased as asked."""

    act = "audit.personal"
    stream = STREAM
    what_to_do = "Nothing has to be done: there is nothing left that could be read."


def view_of(person: User) -> dict[str, Any]:
    """Return what is shown to, and signed by, who erases: whose text, and which keys go."""
    living = PersonalKey.objects.filter(person=person, secret__isnull=False).order_by("id")
    return {
        "act": "erase personal text",
        "person": {
            "id": str(person.pk),
            "username": person.username,
            "printed_name": person.printed_name,
        },
        "keys": [str(key.pk) for key in living],
        "stays": "printed name, user name and identity: signatures must show them",
    }


@transaction.atomic
def erase(person: User, *, by: User, proof: SigningProof, reason: str, shown: str) -> Record:
    """Destroy a person's key as a signed act of a system administrator; return its record.

    ``shown`` is the digest of the view that was signed. Raises ErasureRefused, NotEntitled,
    signatures.ViewChanged, signatures.SignatureRefused.
    """
    _require_another(person, by)
    lock(person)
    view = view_of(person)
    signatures.require_view(view, shown)
    if not view["keys"]:
        raise ErasureRefused(f"{person.printed_name}: there is no personal text to erase")
    record = _destroy(person, view["keys"], by=by, reason=reason)
    signatures.sign(
        record,
        signer=by,
        proof=proof,
        meaning=signatures.Meaning.RESPONSIBILITY,
        reason=reason,
        view=view,
        roles=[Role.SYSTEM_ADMINISTRATOR],
    )
    return record


def _require_another(person: User, by: User) -> None:
    if by.pk == person.pk:
        raise NotEntitled(
            "nobody may erase their own personal text themselves",
            what_to_do="Ask another system administrator.",
            act="audit.personal",
            stream=STREAM,
        )


def _destroy(person: User, doomed: list[str], *, by: Any, reason: str, **more: Any) -> Record:
    record = ledger.append(
        stream=STREAM,
        kind=KIND,
        actor=by,
        reason=reason,
        parents=more.get("parents", ()),
        data={
            "person": str(person.pk),
            "printed_name": person.printed_name,
            "keys": doomed,
            "again": "parents" in more,
        },
    )
    PersonalKey.objects.filter(pk__in=doomed).update(secret=None, erasure=record.pk)
    return record


def reapply(erasures: list[dict[str, Any]], *, by: Any, reason: str) -> list[Record]:
    """Destroy again what a restored backup brought back; return the records of it.

    ``erasures`` are payloads of records of erasures, from this ledger (``erasures``) or from a
    bundle that was exported after the backup was made.
    """
    return [
        record
        for told in erasures
        if (record := _reapplied(told, by=by, reason=reason)) is not None
    ]


@transaction.atomic
def _reapplied(told: dict[str, Any], *, by: Any, reason: str) -> Record | None:
    back = PersonalKey.objects.filter(pk__in=told["data"]["keys"], secret__isnull=False)
    doomed = [str(key.pk) for key in back.order_by("id")]
    if not doomed:
        return None
    person = lock(User.objects.get(pk=told["data"]["person"]))
    first = ledger.by_leaf(merkle.leaf_hash(canonical.encode(told)))
    parents = [first.leaf] if first is not None else []
    return _destroy(person, doomed, by=by, reason=reason, parents=parents)


def erasures() -> list[dict[str, Any]]:
    """Return the payloads of all erasures on record here, oldest first."""
    told = Record.objects.filter(stream=STREAM, kind=KIND).order_by("id")
    return [ledger.content(record) for record in told if ledger.is_intact(record)]
