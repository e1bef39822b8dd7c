"""One record as a page: what it tells, what it rests on, and the proof that it is sealed."""

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse

from audit import checkpoint, inclusion, keys, ledger, words
from audit.desk import differences, lineage
from audit.desk.scope import EVERYTHING, Scope
from audit.guards import trust
from audit.models import Record
from audit.pages import Proof, RecordPage, Relative
from audit.signature_lines import signature_lines

MOST_CHILDREN = 50


def record_page(record: Record, scope: Scope = EVERYTHING) -> RecordPage:
    """Return what the page of a record shows; records outside ``scope`` are told of as such."""
    proof, is_trusted = proof_of(record), record.pk not in trust.untrusted([record])
    told = trust.told(record, is_trusted=is_trusted)
    changes = differences.subject_changes(told["changes"])
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
        changes=changes,
        summary=differences.summary(changes),
        data=list(words.lines(told["data"])) if told["data"] else [],
        parents=_parents(record, scope, is_trusted),
        children=relatives(lineage.children_of(record, MOST_CHILDREN, scope)),
        blobs=[(blob, reverse("audit:blob", args=[record.pk, blob])) for blob in told["blobs"]],
        signatures=signature_lines(record),
        download_href=reverse("audit:payload", args=[record.pk]),
        is_trusted=is_trusted,
        lineage_href=reverse("audit:lineage", args=[record.pk]),
    )


def trail_address(**filters: str) -> str:
    return f"{reverse('audit:trail')}?{urlencode(filters)}"


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


def _parents(record: Record, scope: Scope, is_trusted: bool) -> list[Relative]:
    """Return what a record rests on; of one that is not to be trusted nothing is said."""
    return relatives(lineage.by_leaves(lineage.parents_of(record), scope)) if is_trusted else []


def relatives(nodes: Iterable[lineage.Node]) -> list[Relative]:
    """Return records of the lineage as a page lists them."""
    return [_relative(node) for node in nodes]


def _relative(node: lineage.Node) -> Relative:
    return Relative(
        node.leaf.hex(),
        node.words,
        node.record.recorded_at if node.record else None,
        reverse("audit:record", args=[node.record.pk]) if node.record else "",
        is_trusted=node.is_trusted,
        is_hidden=node.is_hidden,
    )
