"""One record as a page: what it tells, what it rests on, and the proof that it is sealed."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse

from audit import checkpoint, inclusion, keys, ledger, signatures, words
from audit.guards import trust
from audit.models import Record
from audit.pages import Change, Proof, RecordPage, Relative, SignatureLine, SubjectChanges

MOST_CHILDREN = 50


def record_page(record: Record) -> RecordPage:
    proof, is_trusted = proof_of(record), record.pk not in trust.untrusted([record])
    told = trust.told(record, is_trusted=is_trusted)
    return RecordPage(
        id=str(record.pk),
        words=words.headline(record.kind, told) if is_trusted else trust.ALTERED,
        kind=record.kind,
        stream=record.stream,
        stream_href=trail_address(stream=record.stream),
        actor=told["actor"],
        occurred_at=datetime.fromisoformat(told["occurred_at"]),
        recorded_at=record.recorded_at,
        sequence=ledger.sequence_of(record),
        transaction=str(record.transaction),
        leaf=bytes(record.leaf).hex(),
        raw=record.payload,
        proof=proof,
        reason=told["reason"] or "",
        source=told["source"],
        changes=[_changes(change) for change in told["changes"]],
        data=list(words.lines(told["data"])) if told["data"] else [],
        parents=parents_of(told["parents"]),
        children=children_of(record),
        blobs=[(blob, reverse("audit:blob", args=[record.pk, blob])) for blob in told["blobs"]],
        signatures=[_line(shown) for shown in signatures.signatures_of(record)],
        download_href=reverse("audit:payload", args=[record.pk]),
        is_trusted=is_trusted,
    )


def trail_address(**filters: str) -> str:
    return f"{reverse('audit:trail')}?{urlencode(filters)}"


def _changes(change: dict[str, Any]) -> SubjectChanges:
    old, new = change["old"] or {}, change["new"] or {}
    rows = [
        Change(
            name.replace("_", " "),
            words.as_text(old.get(name)),
            words.as_text(new.get(name)),
            is_same=old.get(name) == new.get(name),
        )
        for name in [*old, *(name for name in new if name not in old)]
    ]
    subject = change["subject"]
    return SubjectChanges(
        subject["type"], subject["id"], rows, href=trail_address(text=subject["id"])
    )


def proof_of(record: Record) -> Proof:
    """Return the inclusion proof, made and checked now against the last signed checkpoint."""
    if not ledger.is_intact(record):
        return Proof("not_proved", "The stored text is not what its leaf was made of.")
    found = inclusion.prove(record)
    if found is None:
        return Proof(
            "waiting",
            "The record is stored; the sealer places it and a checkpoint covers it in a moment. "
            "Reload the page to see its proof.",
        )
    flaw = _flaw(found)
    return Proof(
        state="not_proved" if flaw else "proved",
        words=flaw
        or "The proof leads from this record to the root that the last checkpoint signs; it was "
        "checked when this page was made.",
        block=found.block.number,
        tree_size=found.checkpoint.tree_size,
        root=found.root.hex(),
        hashes=[one.hex() for one in found.hashes],
        checkpoint_at=found.checkpoint.created_at,
    )


def _flaw(found: inclusion.Inclusion) -> str:
    """Return why the proof does not hold; empty when it does."""
    if not found.holds:
        return "The proof does not lead to the root of the last checkpoint. Run verify_ledger now."
    try:
        checkpoint.verify(found.checkpoint.note, keys.public_keys(settings.LEDGER_PUBLIC_KEY_FILE))
    except (checkpoint.BadCheckpoint, keys.KeyRefused, OSError) as error:
        return f"The last checkpoint's signature could not be confirmed: {error}."
    return ""


def parents_of(leaves: Iterable[str]) -> list[Relative]:
    """Return the records that these leaves (hex) name; one that is not found stays without link."""
    wanted = list(leaves)
    found = {
        bytes(record.leaf).hex(): record
        for record in Record.objects.filter(leaf__in=[bytes.fromhex(leaf) for leaf in wanted])
    }
    doubtful = trust.untrusted(list(found.values()))
    return [
        _relative(found[leaf], found[leaf].pk not in doubtful)
        if leaf in found
        else Relative(leaf, "A record of another ledger")
        for leaf in wanted
    ]


def children_of(record: Record) -> list[Relative]:
    """Return the first records that cite this one; they are younger than it."""
    leaf = bytes(record.leaf).hex()
    younger = Record.objects.filter(id__gt=record.pk, payload__contains=f'"{leaf}"')
    found = list(younger.order_by("id")[:MOST_CHILDREN])
    doubtful = trust.untrusted(found)
    return [
        _relative(one, one.pk not in doubtful)
        for one in found
        if one.pk in doubtful or _cites(one, leaf)
    ]


def _cites(record: Record, leaf: str) -> bool:
    return leaf in ledger.content(record)["parents"]


def _relative(record: Record, is_trusted: bool) -> Relative:
    told = trust.told(record, is_trusted=is_trusted)
    return Relative(
        bytes(record.leaf).hex(),
        words.headline(record.kind, told) if is_trusted else trust.ALTERED,
        record.recorded_at,
        reverse("audit:record", args=[record.pk]),
        is_trusted,
    )


def _line(shown: signatures.ShownSignature) -> SignatureLine:
    made = ledger.by_leaf(bytes.fromhex(shown.record_leaf))
    return SignatureLine(
        printed_name=shown.printed_name,
        meaning=shown.meaning,
        signed_at=shown.signed_at,
        reason=shown.reason,
        view_digest=shown.view,
        href=reverse("audit:record", args=[made.pk]) if made else "",
        is_valid=shown.is_valid,
        problem=f"This does not count as signed: {shown.flaw}." if shown.flaw else "",
    )
