"""The acts on model versions: one transaction, one record, and the signature where one is asked.

A signed act takes ``signer``, ``proof`` (used up before the act begins), ``reason`` and ``shown``,
the digest of ``view_of`` that the signer was shown: if anything moved since, it is refused. A
refused act raises ActRefused and changes nothing; the edge that called it records the refusal.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit import api as audit
from models_registry import artifacts, cards, standing
from models_registry.lifecycle import DataSet, Facts, Phase, TransitionRefused, advance
from models_registry.models import ModelVersion, TrackingTask, TwinModel

ACTS = {  # action -> kind of its record, meaning of its signature
    "attach_training": ("models_registry.version.calibrated", ""),
    "specify": ("models_registry.version.specified", "approval"),
    "train": ("models_registry.version.trained", "authorship"),
    "open_test_set": ("models_registry.version.test_set_opened", ""),
    "attach_scores": ("models_registry.version.scored", ""),
    "verify": ("models_registry.version.verified", "verification"),
    "validate": ("models_registry.version.validated", "approval"),
    "put_in_force": ("models_registry.version.put_in_force", "release"),
    "suspend": ("models_registry.version.suspended", "withdrawal"),
    "retire": ("models_registry.version.retired", "withdrawal"),
}


class ActRefused(TransitionRefused, audit.Refused):
    """An act on a version that is refused, with every reason."""

    what_to_do = "Read the reasons: each names what is missing or who else has to act."


@transaction.atomic
def draft(
    *,
    template: str,
    scope: str,
    name: str,
    card: Mapping[str, Any] | str,
    author: Any = None,
    test: DataSet | None = None,
    reason: str | None = None,
) -> ModelVersion:
    """Draft a version with its card and, where it shall come into force, its locked test set.

    ``author`` is a person, or None for whoever acts here. Raises cards.CardRefused with every
    flaw, ValueError when the model has a version of this name.
    """
    model = _model(template, scope, author)
    if ModelVersion.objects.filter(model=model, name=name).exists():
        raise ValueError(f"{model} has a version named {name} already: names are never used again")
    actor, now = audit.actor_of(author), timezone.now()
    version = ModelVersion(
        model=model,
        name=name,
        phase=Phase.DRAFTED,
        card=audit.encode(cards.as_told(cards.read(card))).decode(),
        test_digest=artifacts.put_data_set(test) if test else "",
        author_id=UUID(actor.id) if actor.kind == "person" else None,
        author_name=actor.name,
        created_at=now,
    )
    record = audit.append(
        stream=model.stream,
        kind="models_registry.version.drafted",
        actor=author,
        subject=version,
        new=version.state_fields(),
        reason=reason,
        blobs=[version.test_digest] if version.test_digest else [],
        data={"software": audit.software(), "test_batches": len(test.batches) if test else 0},
        occurred_at=now,
    )
    version.save(record=record)
    _tell_tracking(version, record)
    return version


def _model(template: str, scope: str, author: Any) -> TwinModel:
    found = TwinModel.objects.filter(template=template, scope=scope).first()
    if found is not None:
        return found
    model = TwinModel(template=template, scope=scope, title=f"{template} for {scope}")
    record = audit.append(
        stream=model.stream,
        kind="models_registry.model.registered",
        actor=author,
        subject=model,
        new=model.state_fields(),
    )
    model.save(record=record)
    return model


def specify(version_id: UUID, **signing: Any) -> ModelVersion:
    """Sign the acceptance criteria before any training data are opened."""
    return _act(version_id, "specify", **signing)


def attach_training(
    version_id: UUID,
    *,
    artefact: Mapping[str, Any],
    equations_digest: str,
    training: DataSet,
    actor: Any = None,
    data: Mapping[str, Any] | None = None,
) -> ModelVersion:
    """Attach what a calibration made, frozen from here on; the phase does not move.

    On a version that is merely drafted it serves evaluation only: such a version can never be
    specified. Raises TransitionRefused naming the batches that the locked test set holds too.
    """
    digest, described = artifacts.put(artefact), artifacts.put_data_set(training)
    return _act(
        version_id,
        "attach_training",
        actor=actor,
        known={"training": training},
        fields={
            "artefact_digest": digest,
            "equations_digest": equations_digest,
            "training_digest": described,
        },
        blobs=[digest, described],
        data=dict(data or {}) | {"package": training.package, "batches": len(training.batches)},
    )


def train(version_id: UUID, **signing: Any) -> ModelVersion:
    """Sign the trained artefact as one's work."""
    return _act(version_id, "train", **signing)


def open_test_set(version_id: UUID, *, actor: Any) -> DataSet:
    """Open the locked test set, once for this version, and count it; return what it holds.

    The count stands before the data are looked at: an evaluation that fails afterwards may be
    repeated, but never on a changed artefact.
    """
    version = _act(version_id, "open_test_set", actor=actor, fields={"test_openings": 1})
    found = artifacts.fetch_data_set(version.test_digest)
    assert found is not None
    return found


def attach_scores(
    version_id: UUID, *, scores: Mapping[str, Any], actor: Any = None
) -> ModelVersion:
    """Store the scores on the opened test set beside the signed criteria."""
    checked = cards.read_scores(dict(scores))
    return _act(
        version_id,
        "attach_scores",
        actor=actor,
        known={"scored_set": checked["data_set"]},
        fields={"scores": audit.encode(checked).decode()},
    )


def verify(version_id: UUID, **signing: Any) -> ModelVersion:
    """Sign that the scores meet the criteria; refused, naming each, where one is not met."""
    return _act(version_id, "verify", **signing)


def validate(version_id: UUID, **signing: Any) -> ModelVersion:
    """Sign that the version is fit for its intended use."""
    return _act(version_id, "validate", **signing)


def suspend(version_id: UUID, *, rule: str | None = None, **signing: Any) -> ModelVersion:
    """Stop a version's advice: signed by a person, or by a named rule with its reason."""
    return _act(version_id, "suspend", by_rule=rule, **signing)


def retire(version_id: UUID, **signing: Any) -> ModelVersion:
    """End a version's life; it stays readable and can be replayed."""
    return _act(version_id, "retire", **signing)


@transaction.atomic
def put_in_force(version_id: UUID, **signing: Any) -> ModelVersion:
    """Put a version in force; the one that was gives way in the same act and signature."""
    version = _locked(version_id)
    moves = [(version, "put_in_force")]
    if predecessor := _predecessor(version, lock=True):
        moves.insert(0, (predecessor, "give_way"))  # first, as two are never in force
    _move(moves, **signing)
    return version


def _predecessor(version: ModelVersion, *, lock: bool = False) -> ModelVersion | None:
    rows = ModelVersion.objects.filter(model=version.model, phase=Phase.IN_FORCE)
    found = rows.select_related("model", "record").exclude(pk=version.pk).first()
    if found is None or not lock:
        return found
    held = _locked(found.pk)
    return held if held.phase == Phase.IN_FORCE else None


@transaction.atomic
def _act(version_id: UUID, action: str, **options: Any) -> ModelVersion:
    version = _locked(version_id)
    _move([(version, action)], **options)
    return version


def _locked(version_id: UUID) -> ModelVersion:
    """Return the row under lock, read once whoever held it before has committed.

    Locked first and read then: a join to the cited record would lose the row when it has just
    come to cite another one.
    """
    ModelVersion.objects.select_for_update().get(pk=version_id)
    return ModelVersion.objects.select_related("model", "record").get(pk=version_id)


def _move(
    moves: list[tuple[ModelVersion, str]],
    *,
    signer: Any = None,
    proof: Any = None,
    shown: str | None = None,
    reason: str | None = None,
    actor: Any = None,
    by_rule: str | None = None,
    known: Mapping[str, Any] | None = None,
    fields: Mapping[str, Any] | None = None,
    blobs: Iterable[str] = (),
    data: Mapping[str, Any] | None = None,
) -> None:
    """Decide every move by the table, then write one record of all of them, and the rows."""
    version, action = moves[-1]
    view = view_of(version, action)
    if proof is not None:
        audit.require_view(view, shown or "")
    facts = {"person": signer or actor, "is_signed": proof is not None, "by_rule": bool(by_rule)}
    changes = [_moved(*move, facts=facts, known=known, fields=fields) for move in moves]
    kind, meaning = ACTS[action]
    record = audit.append(
        stream=version.model.stream,
        kind=kind,
        actor=signer or actor,
        changes=changes,
        reason=reason,
        parents=[moved.record.leaf for moved, _, _ in changes],
        blobs=blobs,
        data=dict(data or {}) | {"rule": by_rule, "software": audit.software()},
    )
    if proof is not None:
        audit.sign(
            record, signer=signer, proof=proof, meaning=meaning, reason=reason or "", view=view
        )
    for moved, _, _ in changes:
        moved.save(record=record)
        _tell_tracking(moved, record)


def _moved(
    version: ModelVersion,
    action: str,
    *,
    facts: Mapping[str, Any],
    known: Mapping[str, Any] | None,
    fields: Mapping[str, Any] | None,
) -> tuple[ModelVersion, dict[str, Any], dict[str, Any]]:
    """Return (version in its next state, row before, row after); raises ActRefused."""
    before = version.state_fields()
    told = replace(facts_about(version, **facts), **(known or {}))
    try:
        version.phase = advance(Phase(version.phase), action, told)
    except TransitionRefused as refused:
        raise ActRefused(
            f"{version.name}: {refused}",
            act=ACTS.get(action, ACTS["put_in_force"])[0],
            stream=version.model.stream,
            data={"action": action, "version": str(version.pk), "phase": before["phase"]},
        ) from refused
    for name, value in (fields or {}).items():
        setattr(version, name, value)
    return version, before, version.state_fields()


def view_of(version: ModelVersion, action: str) -> dict[str, Any]:
    """Return the document that a person is shown, and signs, for an act on a version."""
    verdicts = cards.judge(cards.read(version.card), scores_of(version))
    predecessor = _predecessor(version) if action == "put_in_force" else None
    return {
        "act": action,
        "model": {"template": version.model.template, "scope": version.model.scope},
        "version": {"id": version.pk, **version.state_fields()},
        "verdicts": [{"told": str(verdict), "is_met": verdict.is_met} for verdict in verdicts],
        "gives_way": predecessor.name if predecessor else None,
    }


def scores_of(version: ModelVersion) -> dict[str, Any] | None:
    """Return the scores on the locked test set, None before there are any."""
    return cards.read_scores(version.scores) if version.scores else None


def facts_about(
    version: ModelVersion, *, person: Any = None, is_signed: bool = False, by_rule: bool = False
) -> Facts:
    """Gather what the guards look at, as it stands in this transaction."""
    card = cards.read(version.card)
    scores = scores_of(version)
    person = person if isinstance(person, audit.User) else None
    return Facts(
        signer_roles=frozenset(person.roles() if person else ()),
        signer_is_author=person is not None and person.pk == version.author_id,
        signer_has_verified=person is not None and standing.has_verified(version, person),
        is_signed=is_signed,
        by_rule=by_rule,
        author_is_a_person=version.author_id is not None,
        has_criteria=bool(card.criteria),
        has_artefact=bool(version.artefact_digest),
        has_scores=scores is not None,
        test_openings=version.test_openings,
        training=artifacts.fetch_data_set(version.training_digest),
        test=artifacts.fetch_data_set(version.test_digest),
        test_set=version.test_digest or None,
        scored_set=scores["data_set"] if scores else None,
        unmet_criteria=tuple(
            str(verdict) for verdict in cards.judge(card, scores) if not verdict.is_met
        ),
    )


def refusals(version: ModelVersion, action: str, person: Any) -> str | None:
    """Return why this person may not do this act now, signature apart; None when they may."""
    try:
        advance(Phase(version.phase), action, facts_about(version, person=person, is_signed=True))
    except TransitionRefused as refused:
        return str(refused)
    return None


def _tell_tracking(version: ModelVersion, record: Any) -> None:
    """Leave an entry for the tracking store, which catches up by itself."""
    TrackingTask.objects.create(version=version, leaf=bytes(record.leaf))


SIGNED = {  # action -> the act that a person signs
    "specify": specify,
    "train": train,
    "verify": verify,
    "validate": validate,
    "put_in_force": put_in_force,
    "suspend": suspend,
    "retire": retire,
}
