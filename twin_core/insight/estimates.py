"""State estimates: one for each input, computed outside and stored inside one transaction."""

import hashlib
from decimal import Decimal
from typing import Any
from uuid import UUID

from audit import api as audit
from models_registry import api as registry
from twin_core import outbox
from twin_core.data import segments
from twin_core.data.batches import stream
from twin_core.insight import documents, templates
from twin_core.models import Batch, Estimate, OutboxTask
from twin_core.science import estimation, versions

MOST_PARENTS = 200  # leaf hashes in one record; the input document names all


def create(task: OutboxTask, *, batch: str, at_h: str) -> Estimate | None:
    """Estimate a batch at a process time. Safe to deliver twice: the same input is one estimate.

    A later estimate of the batch that waits already rests on all that this one would: it takes
    this one's place. Where no usable model version is in force the refusal is recorded and the
    task ends.
    """
    found = Batch.objects.select_related("equipment").get(pk=UUID(batch))
    if outbox.is_overdue(task, prefix=f"estimate:{batch}:", after=Decimal(at_h)):
        with outbox.effect(task):
            return None
    segments.seal(found)
    try:
        row, version = templates.version_in_force(found.equipment)
    except (registry.NotInForce, versions.VersionRefused) as error:
        _refuse(task, found, str(error))
        return None
    inputs = documents.gather(
        found, at_h=Decimal(at_h), model=version.model, version_digest=version.digest
    )
    result = estimation.estimate(version, documents.history(inputs.document), float(at_h))
    content = audit.encode(estimation.estimate_content(result, version))
    return _store(task, found, row, inputs, content)


def compute(document: dict[str, Any], version: Any) -> estimation.Estimate:
    """Compute an estimate from its input document again; same bytes, by the frozen version."""
    return estimation.estimate(version, documents.history(document), float(document["at_h"]))


def _store(
    task: OutboxTask, batch: Batch, row: Any, inputs: documents.Inputs, content: bytes
) -> Estimate:
    digest = hashlib.sha256(inputs.text).hexdigest()
    with outbox.effect(task):
        existing = Estimate.objects.filter(batch=batch, model_version=row, inputs=digest).first()
        if existing is not None:
            return existing
        estimate = Estimate(
            batch=batch,
            model_version_id=row.pk,
            at_h=Decimal(inputs.document["at_h"]),
            inputs=audit.put_blob(inputs.text, "application/json"),
            content=audit.put_blob(content, "application/json"),
        )
        record = audit.append(
            stream=stream(batch),
            kind="twin_core.estimate.made",
            subject=estimate,
            new=estimate.state_fields(),
            parents=_parents(batch, row, inputs),
            blobs=[estimate.inputs, estimate.content],
        )
        estimate.save(record=record)
        outbox.ask("forecast", f"forecast:{estimate.pk}", estimate=str(estimate.pk))
    return estimate


def _parents(batch: Batch, row: Any, inputs: documents.Inputs) -> list[bytes]:
    """Return the model version's record, the estimate before, and what is new since then."""
    previous = (
        Estimate.objects.filter(batch=batch).select_related("record").order_by("-at_h").first()
    )
    known: set[str] = set()
    parents = [bytes(row.record.leaf)]
    if previous is not None:
        parents.append(bytes(previous.record.leaf))
        before = audit.decode(audit.get_blob(previous.inputs))
        known = {entry["record"] for entry in before["laboratory"]}
        known |= {entry["id"] for entry in before["segments"]}
    new = [bytes(r.record.leaf) for r in inputs.results if r.record.leaf.hex() not in known]
    new += [bytes(s.record.leaf) for s in inputs.segments if str(s.pk) not in known]
    return list(dict.fromkeys(parents + new))[:MOST_PARENTS]


def _refuse(task: OutboxTask, batch: Batch, reason: str) -> None:
    with outbox.effect(task):
        audit.append(
            stream=stream(batch),
            kind="twin_core.estimate.refused",
            reason=reason,
            data=task.content,
        )
