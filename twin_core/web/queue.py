"""What waits for whom: rows of the desk, of a batch, and of what was decided lately."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from audit import api as audit
from models_registry import api as registry
from twin_core import decisions
from twin_core.data import rights
from twin_core.insight import recommendations, standing
from twin_core.lifecycle.recommendation import State
from twin_core.models import Batch, Question, Recommendation
from twin_core.web.course import Course
from twin_core.web.pace import expected_at
from twin_core.web.pages import QueueRow
from twin_core.web.words import short, tag_words

RECENT = 10
RISKS = {"high": 0, "medium": 1, "low": 2}
FORWARD = {  # phase of a model version -> the act that is next
    "drafted": "specify",
    "specified": "train",
    "trained": "verify",
    "verified": "validate",
    "validated": "put_in_force",
}
SIGNING = set(standing.SIGNING_ROLES)


@dataclass(frozen=True)
class Reader:
    """Who looks at the desk, with the roles held now."""

    person: Any
    roles: frozenset[str]

    @classmethod
    def of(cls, person: Any) -> "Reader":
        return cls(person, frozenset(audit.current_roles(person)))


def risk(recommendation: Recommendation) -> str:
    """Return low for words to a person, medium for a write, high where two people sign."""
    if recommendation.is_high_impact:
        return "high"
    return "medium" if recommendation.is_writable else "low"


def open_rows() -> list[Recommendation]:
    """Return the recommendations that wait for somebody or something, oldest first."""
    found = Recommendation.objects.filter(state__in=recommendations.OPEN)
    return list(_with_batch(found).order_by("pk"))


def recent_rows() -> list[Recommendation]:
    """Return what was decided lately, newest first."""
    found = _with_batch(Recommendation.objects.exclude(state=State.PROPOSED))
    return list(found.order_by("-record_id")[:RECENT])


def _with_batch(rows: Any) -> Any:
    return rows.select_related("batch__equipment", "record").prefetch_related("questions")


def open_questions(recommendation: Recommendation) -> list[Question]:
    return [one for one in recommendation.questions.all() if one.answered_by_id is None]


def waits_for(recommendation: Recommendation, reader: Reader) -> tuple[str, bool]:
    """Return what a recommendation waits for, in words, and whether that is this reader."""
    if recommendation.state != State.PROPOSED:
        return _after_signing(recommendation), False
    if open_questions(recommendation):
        is_mine = bool(reader.roles & set(rights.RIGHTS["answer a question"]))
        return ("your answer" if is_mine else "an answer of a process engineer"), is_mine
    signers = decisions.signers(recommendation)
    needed = decisions.SIGNATURES[recommendation.is_high_impact]
    left = "a second signature" if needed > 1 and signers else "a signature of QA"
    parts = signers | decisions.authors(recommendation)
    is_mine = bool(reader.roles & SIGNING) and reader.person.pk not in parts
    if is_mine:
        left = "your second signature" if signers else "your signature"
    return left, is_mine


def _after_signing(recommendation: Recommendation) -> str:
    match recommendation.state:
        case State.APPROVED if recommendation.is_writable:
            return "the write gate"
        case State.APPROVED:
            return "action by the operator"
        case State.WRITTEN | State.UNKNOWN:
            return "the reading back"
    return "nobody"


class Rows:
    """Makes rows; what is the same for all rows of a batch is read once."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.courses: dict[Any, Course] = {}

    def course(self, batch: Batch) -> Course:
        return self.courses.setdefault(batch.pk, Course(batch))

    def row(self, recommendation: Recommendation) -> QueueRow:
        batch, course = recommendation.batch, self.course(recommendation.batch)
        words, _ = waits_for(recommendation, self.reader)
        may_expire = recommendation.state in (State.PROPOSED, State.APPROVED) and (
            recommendation.state == State.PROPOSED or recommendation.is_writable
        )
        expires = expected_at(recommendation.expires_h, now_h=course.now_h, pace=course.speed)
        return QueueRow(
            href=reverse("web:recommendation", args=[recommendation.pk]),
            title=recommendation.title,
            batch=batch.number,
            batch_href=reverse("web:batch", args=[batch.number]),
            since=recommendation.record.recorded_at,
            risk=risk(recommendation),
            state=recommendation.state,
            waits_for=words,
            expires_at=expires if may_expire else None,
            expires_h=float(recommendation.expires_h) if may_expire else None,
            effect=effect_line(recommendation),
            note=self._note(recommendation),
        )

    def _note(self, recommendation: Recommendation) -> str:
        """Return who has had a hand in it already."""
        if recommendation.state != State.PROPOSED:
            return ""
        if asked := open_questions(recommendation):
            return f"asked: {asked[0].question[:120]}"
        made = decisions.signatures(recommendation)
        return f"signed by {', '.join(one.printed_name for one in made)}" if made else ""

    def split(self, found: Iterable[Recommendation]) -> tuple[list[QueueRow], list[QueueRow]]:
        """Return the rows that wait for the reader and those that wait for others."""
        mine: list[QueueRow] = []
        others: list[QueueRow] = []
        for recommendation in found:
            is_mine = waits_for(recommendation, self.reader)[1]
            (mine if is_mine else others).append(self.row(recommendation))
        return in_order(mine), in_order(others)


def version_rows(reader: Reader) -> list[QueueRow]:
    """Return the model versions whose next act is the reader's, by the registry's own rules."""
    waiting = registry.ModelVersion.objects.filter(phase__in=FORWARD)
    return [
        _version_row(version, action)
        for version in waiting.select_related("model", "record").order_by("pk")
        if registry.refusals(version, action := FORWARD[version.phase], reader.person) is None
    ]


def _version_row(version: registry.ModelVersion, action: str) -> QueueRow:
    return QueueRow(
        href=reverse("models_registry:version", args=[version.pk]),
        title=f"{action.replace('_', ' ').capitalize()} {version.name}",
        batch=version.model.scope,
        batch_href=reverse("models_registry:models"),
        since=version.record.recorded_at,
        risk=registry.read(version.card).impact,
        state=version.phase,
        waits_for="your signature",
        effect=f"model version for {version.model.scope}, {version.model.template}",
    )


def in_order(rows: Sequence[QueueRow]) -> list[QueueRow]:
    """Return rows with the weightiest and soonest first."""
    return sorted(
        rows,
        key=lambda row: (RISKS[row.risk], row.expires_at.timestamp() if row.expires_at else 1e12),
    )


def effect_line(recommendation: Recommendation) -> str:
    """Return the expected effect in one line: the titer first, else what a limit is set on."""
    effects = {one["tag"]: one for one in standing.evidence(recommendation)["effects"]}
    for tag in ("titer", "viability", "viable_cell_density"):
        if (one := effects.get(tag)) is not None:
            advised, nothing = one["advised"], one["untouched"]
            return (
                f"{tag_words(tag)} at harvest {short(advised['mean'], 3)} {one['unit']} "
                f"({short(advised['lo90'], 3)} to {short(advised['hi90'], 3)}), "
                f"doing nothing {short(nothing['mean'], 3)}"
            )
    return ""
