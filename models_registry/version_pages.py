"""A model version as its page shows it: card, life, scores, digests, and the acts there are."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from audit import api as audit
from audit.pages import SigningDialog
from models_registry import cards, standing, versions
from models_registry.forms import SigningForm
from models_registry.lifecycle import TRANSITIONS, Phase
from models_registry.models import ModelVersion
from models_registry.pages import PhaseStep, ScoreRow, VersionPage, VersionRow

LIFE = (
    Phase.DRAFTED,
    Phase.SPECIFIED,
    Phase.TRAINED,
    Phase.VERIFIED,
    Phase.VALIDATED,
    Phase.IN_FORCE,
)
ENDS = (Phase.SUSPENDED, Phase.RETIRED)
SIGNED_ACTS = {  # action -> button, what is signed
    "specify": ("Sign the criteria", "I approve the acceptance criteria of {0}, before training."),
    "train": ("Sign the training", "I made {0} from the named training batches."),
    "verify": ("Sign the verification", "The scores of {0} on its locked test set meet them all."),
    "validate": ("Sign the validation", "{0} is fit for its intended use."),
    "put_in_force": ("Put in force", "{0} may advise on {1} from now on.{2}"),
    "suspend": ("Suspend", "{0} advises no more until it is put in force again."),
    "retire": ("Retire", "{0} is at the end of its life and never advises again."),
}
METRICS = {
    "rmse_of_range": "error as a share of the range",
    "rmse_to_persistence": "error beside repeating the last value",
    "coverage_90": "outcomes inside the 90 % band",
}


def version_row(version: ModelVersion) -> VersionRow:
    card = cards.read(version.card)
    return VersionRow(
        href=reverse("models_registry:version", args=[version.pk]),
        name=version.name,
        template=version.model.template,
        phase=version.phase,
        since=version.record.recorded_at,
        digest=version.artefact_digest,
        impact=card.impact,
        score=_leading_score(card, version),
        used_by=version.model.scope if version.phase == Phase.IN_FORCE else "",
    )


def _leading_score(card: cards.Card, version: ModelVersion) -> str:
    verdicts = cards.judge(card, versions.scores_of(version))
    reached = [v for v in verdicts if v.reached is not None]
    return f"{_metric(reached[0].criterion.metric)} {_short(reached[0].reached)}" if reached else ""


def version_page(version: ModelVersion, person: Any, *, opened: Any = None) -> VersionPage:
    """Return the page of a version for a person; ``opened`` is (action, form) of a refused act."""
    card, steps = cards.read(version.card), standing.history(version)
    dialogs = [
        dialog_for(version, person, action, opened=opened)
        for action in SIGNED_ACTS
        if (opened and opened[0] == action)
        or ((version.phase, action) in TRANSITIONS and _may(version, action, person))
    ]
    return VersionPage(
        name=version.name,
        template=f"{version.model.template} for {version.model.scope}",
        phase=version.phase,
        impact=card.impact,
        intended_use=card.intended_use,
        steps=list(life(version, steps)),
        scores=list(score_rows(card, version)),
        digests=list(digests(version)),
        input_space=[(e.tag, f"{e.low} to {e.high}", e.unit) for e in card.inputs],
        assumptions=[*card.assumptions, *(f"Known limit: {one}" for one in card.known_limits)],
        signatures=[line for step in steps for line in audit.signature_lines(step.record)],
        dialogs=dialogs,
        next_act=SIGNED_ACTS[_action_of(dialogs[0])][0] if dialogs else "",
        may_not_act=next_step(version, person),
        trail_href=f"{reverse('audit:trail')}?{urlencode({'stream': version.model.stream})}",
    )


def _may(version: ModelVersion, action: str, person: Any) -> bool:
    return versions.refusals(version, action, person) is None


def next_step(version: ModelVersion, person: Any) -> str:
    """Return why this person cannot do the version's next step; empty when they can."""
    onwards = {
        action: versions.refusals(version, action, person)
        for phase, action in TRANSITIONS
        if phase == version.phase and action in SIGNED_ACTS and action not in {"suspend", "retire"}
    }
    return "" if None in onwards.values() else " ".join(f"{why}." for why in onwards.values())


def dialog_for(
    version: ModelVersion, person: Any, action: str, *, opened: Any = None
) -> SigningDialog:
    view = versions.view_of(version, action)
    digest, gives_way = audit.view_digest(view), view["gives_way"]
    label, statement = SIGNED_ACTS[action]
    replaced = f" {gives_way} gives way and is retired." if gives_way else ""
    is_opened = bool(opened and opened[0] == action)
    ready = audit.next_code_at(person, timezone.now())
    form = opened[1] if is_opened else SigningForm(auto_id=f"{action}-%s")
    _set_view(form, digest)
    return SigningDialog(
        id=f"sign-{action}",
        title=label,
        action_href=reverse("models_registry:act", args=[version.pk, action]),
        statement=statement.format(version.name, version.model.scope, replaced),
        view_digest=digest,
        printed_name=person.printed_name,
        form=form,
        submit_label=label,
        is_danger=action in {"suspend", "retire"},
        code_ready_at=ready if ready > timezone.now() else None,
        is_open=is_opened,
    )


def _set_view(form: Any, digest: str) -> None:
    """Put the present view into a form; one that comes back keeps the reason, not the code."""
    form.initial["view"] = digest
    if form.is_bound:
        form.data = form.data.copy()
        form.data.setlist("view", [digest])
        form.data.setlist("code", [""])


def _action_of(dialog: SigningDialog) -> str:
    return dialog.id.removeprefix("sign-")


def life(version: ModelVersion, steps: list[standing.Step]) -> Iterator[PhaseStep]:
    """Yield the phases in order, each with the act that last led into it."""
    reached: dict[str, standing.Step] = {}
    before = None
    for step in steps:
        if step.phase != before:
            reached[step.phase] = step
        before = step.phase
    for phase in (*LIFE, *(end for end in ENDS if end in reached)):
        led = reached.get(phase)
        yield PhaseStep(
            phase=str(phase),
            at=led.recorded_at if led else None,
            signed_by=_signers(led) if led else "",
            reason=(led.reason or "") if led else "",
            href=reverse("audit:record", args=[led.record.pk]) if led else "",
            is_current=phase == version.phase,
        )


def _signers(step: standing.Step) -> str:
    names = [signature.signer.printed_name for signature in step.signatures]
    return ", ".join(names) or step.actor


def score_rows(card: cards.Card, version: ModelVersion) -> Iterator[ScoreRow]:
    """Yield every score beside its naive rivals, and every criterion that has no score yet."""
    metrics = (versions.scores_of(version) or {}).get("metrics", {})
    verdicts = {v.criterion.metric: v for v in cards.judge(card, versions.scores_of(version))}
    for name in dict.fromkeys([*verdicts, *metrics]):
        entry, verdict = metrics.get(name, {}), verdicts.get(name)
        rivals = entry.get("baselines", {})
        asked = verdict.criterion if verdict else None
        yield ScoreRow(
            words=_metric(name),
            unit=entry.get("unit") or (asked.unit if asked else ""),
            reached=_short(entry.get("value")),
            persistence=_short(rivals.get("persistence")),
            straight_line=_short(rivals.get("straight_line")),
            criterion=f"{asked.comparison.replace('_', ' ')} {asked.limit}" if asked else "",
            is_met=verdict.is_met if verdict and entry else None,
        )


def _metric(name: str) -> str:
    tag, _, metric = name.partition(".")
    return f"{tag.replace('_', ' ')}: {METRICS.get(metric, metric.replace('_', ' '))}"


def _short(value: str | None) -> str:
    return f"{float(value):.3g}" if value else ""


def digests(version: ModelVersion) -> Iterator[tuple[str, str, str]]:
    """Yield (what, digest, address) of everything the version is made of."""
    named = {
        "Artefact": version.artefact_digest,
        "Equations": version.equations_digest,
        "Training set": version.training_digest,
        "Locked test set": version.test_digest,
    }
    cited = {
        blob: step.record
        for step in standing.history(version)
        for blob in audit.content(step.record)["blobs"]
    }
    for what, digest in named.items():
        if digest:
            record = cited.get(digest)
            address = reverse("audit:blob", args=[record.pk, digest]) if record else ""
            yield what, digest, address


def rows_at(moment: datetime | None) -> list[VersionRow]:
    """Return every version now, or what was in force at a moment, as the ledger tells it."""
    if moment is None:
        found = ModelVersion.objects.select_related("model", "record")
        return [version_row(version) for version in found.order_by("-created_at")]
    return [version_row(version) for version in standing.all_in_force(moment)]
