"""What stands: which version is in force, was in force, and what exactly it is.

Answers come from the ledger, or from a row that is compared with its signed record first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from audit import api as audit
from models_registry import artifacts
from models_registry.lifecycle import DataSet, Phase
from models_registry.models import ModelVersion, TwinModel

LABEL = "models_registry.modelversion"


class NotInForce(Exception):
    """No version may advise here; the text says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One act in a version's life, as the ledger tells it."""

    record: Any
    kind: str
    actor: str
    phase: str
    reason: str | None
    recorded_at: datetime
    signatures: tuple[Any, ...]
    data: dict[str, Any]


def in_force(
    scope: str, *, template: str | None = None, at: datetime | None = None
) -> ModelVersion | None:
    """Return the version in force for an asset, now or at a time of the database's clock.

    At a time: a version as it stood then, read from the ledger, not to be saved. Raises
    ValueError when the asset has several models and no template is named.
    """
    model = _model(scope, template)
    if model is None:
        return None
    if at is not None:
        return _in_force_at(model, at)
    return ModelVersion.objects.filter(model=model, phase=Phase.IN_FORCE).first()


def all_in_force(at: datetime) -> list[ModelVersion]:
    """Return every version in force at a time, one an asset and template, from the ledger."""
    models = TwinModel.objects.order_by("scope", "template")
    return [version for model in models if (version := _in_force_at(model, at))]


def require_in_force(scope: str, *, template: str | None = None) -> ModelVersion:
    """Return the version that may advise here, after comparing it with its signed record.

    Raises NotInForce with the reason.
    """
    version = in_force(scope, template=template)
    if version is None:
        raise NotInForce(_why_none(scope, template))
    if not audit.is_intact(version.record) or _told(version.record, version.pk) != (
        version.state_fields()
    ):
        raise NotInForce(f"version {version.name} is not what its record says: call QA")
    if not version.record.signatures.exists():
        raise NotInForce(f"version {version.name} was put in force without a signature: call QA")
    return version


def load(version: ModelVersion) -> dict[str, Any]:
    """Return a version's artefact by the digest that its record tells and its signature covers.

    Raises artifacts.ArtefactRefused when row, record and content do not agree; outside a
    transaction the difference is recorded, inside one that is the caller's part.
    """
    try:
        told = _told(version.record, version.pk) or {}
        if not audit.is_intact(version.record):
            raise artifacts.ArtefactRefused(f"{version.record} is not what its leaf hash says")
        if not version.artefact_digest:
            raise artifacts.ArtefactRefused(f"version {version.name} has no artefact yet")
        if told.get("artefact_digest") != version.artefact_digest:
            raise artifacts.ArtefactRefused(
                f"version {version.name} names {version.artefact_digest}, "
                f"its record {told.get('artefact_digest')}"
            )
        return artifacts.fetch(version.artefact_digest)
    except artifacts.ArtefactRefused as refused:
        _record_difference(version, str(refused))
        raise


def history(version: ModelVersion) -> list[Step]:
    """Return the acts on a version in their order."""
    return [
        _step(record, new)
        for record, subject, new in _changes(version.model)
        if subject == str(version.pk)
    ]


def has_verified(version: ModelVersion, person: Any) -> bool:
    """Whether this person signed the version's verification."""
    return any(
        step.kind == "models_registry.version.verified"
        and any(signature.signer_id == person.pk for signature in step.signatures)
        for step in history(version)
    )


def find(name: str, *, template: str, scope: str | None = None) -> ModelVersion | None:
    """Return the version of a name; raises LookupError when several assets have one."""
    found = ModelVersion.objects.filter(name=name, model__template=template)
    found = found.filter(model__scope=scope) if scope else found
    rows = list(found.select_related("model", "record"))
    if len(rows) > 1:
        scopes = ", ".join(sorted(row.model.scope for row in rows))
        raise LookupError(f"{template} has a version {name} for {scopes}: name the asset")
    return rows[0] if rows else None


def test_set(version: ModelVersion) -> DataSet | None:
    """Return the locked test set of a version, None when it has none."""
    return artifacts.fetch_data_set(version.test_digest)


def released_by(version: ModelVersion) -> set[UUID]:
    """Return the people whose signature put this version in force the last time."""
    kind = "models_registry.version.put_in_force"
    releases = [step for step in history(version) if step.kind == kind]
    return {signature.signer_id for step in releases[-1:] for signature in step.signatures}


def _model(scope: str, template: str | None) -> TwinModel | None:
    found = TwinModel.objects.filter(scope=scope)
    if template is not None:
        return found.filter(template=template).first()
    models = list(found)
    if len(models) > 1:
        names = ", ".join(sorted(model.template for model in models))
        raise ValueError(f"{scope} has several models, name one template of: {names}")
    return models[0] if models else None


def _in_force_at(model: TwinModel, at: datetime) -> ModelVersion | None:
    stood: dict[str, tuple[Any, dict[str, Any]]] = {}
    for record, subject, new in _changes(model, until=at):
        stood[subject] = (record, new)
    for subject, (record, new) in stood.items():
        if new["phase"] == Phase.IN_FORCE:
            return _as_told(subject, record, new)
    return None


def _changes(
    model: TwinModel, *, until: datetime | None = None
) -> Iterator[tuple[Any, str, dict[str, Any]]]:
    """Yield (record, version id, row as told) of each change of the model's versions, in order."""
    records = audit.Record.objects.filter(stream=model.stream).order_by("transaction", "id")
    if until is not None:
        records = records.filter(recorded_at__lte=until)
    for record in records:
        for change in audit.content(record)["changes"]:
            if change["subject"]["type"] == LABEL:
                yield record, change["subject"]["id"], change["new"]


def _as_told(subject: str, record: Any, new: dict[str, Any]) -> ModelVersion:
    fields = {field.attname: field for field in ModelVersion._meta.concrete_fields}
    values = {name: fields[name].to_python(value) for name, value in new.items()}
    return ModelVersion(id=UUID(subject), record_id=record.pk, **values)


def _told(record: Any, key: UUID) -> dict[str, Any] | None:
    for change in audit.content(record)["changes"]:
        if change["subject"] == {"type": LABEL, "id": str(key)}:
            return change["new"]
    return None


def _step(record: Any, new: dict[str, Any]) -> Step:
    told = audit.content(record)
    return Step(
        record=record,
        kind=record.kind,
        actor=told["actor"]["name"],
        phase=new["phase"],
        reason=told["reason"],
        recorded_at=record.recorded_at,
        signatures=tuple(record.signatures.select_related("signer").order_by("pk")),
        data=told["data"] or {},
    )


def _why_none(scope: str, template: str | None) -> str:
    model = _model(scope, template)
    if model is None:
        return f"no model is registered for {scope}: draft a version and take it through its phases"
    last = ModelVersion.objects.filter(model=model).order_by("-record_id").first()
    if last is None:
        return f"{model} has no version: draft one and take it through its phases"
    reason = audit.content(last.record)["reason"]
    because = f" ({reason})" if reason else ""
    return f"no version of {model} is in force: the last, {last.name}, is {last.phase}{because}"


def _record_difference(version: ModelVersion, difference: str) -> None:
    if not connection.in_atomic_block:
        audit.append_alone(
            stream=version.model.stream,
            kind="models_registry.artefact.refused",
            reason=difference,
            data={"version": str(version.pk), "digest": version.artefact_digest},
        )
