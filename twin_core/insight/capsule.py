"""The decision capsule: one file from which a recommendation can be computed again, byte for byte.

Format: docs/design/capsule.md. A capsule is made from the ledger; ``replay`` needs nothing but the
capsule and the software.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import zstandard

from audit import api as audit
from twin_core.data import segments
from twin_core.data.batches import stream
from twin_core.models import DataSegment, Recommendation, SetpointWrite

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Capsule:
    """A capsule's bytes and their SHA-256, by which it is named."""

    text: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text).hexdigest()


def make(recommendation: Recommendation) -> Capsule:
    """Return the capsule of a recommendation as it stands now."""
    version = recommendation.forecast.estimate.model_version
    records = list(_records(recommendation))
    evidence = audit.decode(audit.get_blob(recommendation.content))
    inputs = audit.decode(audit.get_blob(recommendation.forecast.estimate.inputs))
    write = SetpointWrite.objects.filter(recommendation=recommendation).first()
    content = {
        "capsule": FORMAT,
        "software": audit.software(),
        "build": audit.build_digest(),
        "batch": recommendation.batch.number,
        "recommendation": {"id": str(recommendation.pk), **recommendation.state_fields()},
        "estimate": {"id": str(recommendation.forecast.estimate.pk)}
        | recommendation.forecast.estimate.state_fields(),
        "forecast": {"id": str(recommendation.forecast.pk)}
        | recommendation.forecast.state_fields(),
        "model": {"id": str(version.pk), **version.state_fields()},
        "write": None if write is None else {"id": str(write.pk), **write.state_fields()},
        "signatures": [
            {"manifest": made.manifest, "record": bytes(made.record.leaf).hex()}
            for made in _signatures(records)
        ],
        "records": [record.payload for record in records],
        "blobs": _blobs(_cited(records) | {version.artefact_digest} | _files(evidence)),
        "segments": _segments(entry["id"] for entry in inputs["segments"]),
    }
    return Capsule(audit.encode(content))


def _records(recommendation: Recommendation) -> Iterator[Any]:
    """Yield the records of a recommendation's life, each once, in their order."""
    estimate, forecast = recommendation.forecast.estimate, recommendation.forecast
    found = {
        record.pk: record
        for record in (estimate.model_version.record, estimate.record, forecast.record)
    }
    about = {str(recommendation.pk), *_write_ids(recommendation)}
    lived = audit.Record.objects.filter(
        stream=stream(recommendation.batch), pk__gte=forecast.record_id
    )
    for record in lived.order_by("id"):
        told = audit.content(record)
        if any(change["subject"]["id"] in about for change in told["changes"]):
            found[record.pk] = record
    for made in audit.Signature.objects.filter(signed__in=list(found)).select_related("record"):
        found[made.record.pk] = made.record
    yield from sorted(found.values(), key=lambda record: record.pk)


def _write_ids(recommendation: Recommendation) -> list[str]:
    questions = recommendation.questions.values_list("pk", flat=True)
    writes = SetpointWrite.objects.filter(recommendation=recommendation)
    return [str(key) for key in (*writes.values_list("pk", flat=True), *questions)]


def _signatures(records: Iterable[Any]) -> list[Any]:
    signed = [record.pk for record in records]
    made = audit.Signature.objects.filter(signed__in=signed)
    return list(made.select_related("record").order_by("id"))


def _cited(records: Iterable[Any]) -> set[str]:
    return {digest for record in records for digest in audit.content(record)["blobs"]}


def _files(evidence: dict[str, Any]) -> set[str]:
    return set(evidence["files"].values())


def _blobs(digests: Iterable[str]) -> dict[str, str]:
    """Return contents by digest, as base64 text: a capsule carries any bytes."""
    return {digest: base64.b64encode(audit.get_blob(digest)).decode() for digest in sorted(digests)}


def _segments(keys: Iterable[str]) -> list[dict[str, str]]:
    """Return the segments' unpacked contents; each is held to its digest when it is read."""
    rows = DataSegment.objects.in_bulk([*keys])
    return [
        {
            "id": str(key),
            "tag": row.tag,
            "unit": row.unit,
            "digest": row.digest,
            "content": base64.b64encode(bytes(row.content)).decode(),
        }
        for key, row in sorted(rows.items())
    ]


def points_of(entry: dict[str, str]) -> list[segments.Point]:
    """Return a carried segment's points; raises ValueError when its digest does not fit."""
    packed = base64.b64decode(entry["content"])
    content = zstandard.ZstdDecompressor().decompress(packed, max_output_size=segments.LARGEST)
    if hashlib.sha256(content).hexdigest() != entry["digest"]:
        raise ValueError(f"segment {entry['id']} has another digest than it should")
    return segments.unpack(content)
