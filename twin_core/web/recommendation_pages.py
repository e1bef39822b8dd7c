"""A recommendation as a page: the evidence as it was frozen, and what people did with it."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.urls import reverse

from audit import api as audit
from twin_core.insight import capsules, standing
from twin_core.lifecycle.recommendation import State
from twin_core.models import DataSegment, Recommendation
from twin_core.web import charts, queue
from twin_core.web.batch_pages import version_href
from twin_core.web.course import Course
from twin_core.web.pace import expected_at
from twin_core.web.pages import (
    Effect,
    InputLink,
    Move,
    QuestionRow,
    RecommendationPage,
    StepRow,
    Verdict,
)
from twin_core.web.templatetags.desk import unit_shown
from twin_core.web.words import sentence, short, tag_words

HARVEST = "harvest"
SHOWN_FIRST = ("titer", "viability", "viable_cell_density", "lactate")
KINDS = ("twin_core.recommendation.", "twin_core.question.", "twin_core.setpoint_write.")
STEP_WORDS = {
    "twin_core.recommendation.proposed": "Proposed by the twin",
    "twin_core.recommendation.endorsed": "First signature",
    "twin_core.recommendation.approved": "Approved",
    "twin_core.recommendation.rejected": "Rejected",
    "twin_core.recommendation.expired": "Expired",
    "twin_core.recommendation.written": "Sent to the plant",
    "twin_core.recommendation.confirmed": "Read back and confirmed",
    "twin_core.recommendation.unknown": "Written, not yet read back",
    "twin_core.recommendation.deviation": "The plant holds another value",
    "twin_core.question.asked": "Returned with a question",
    "twin_core.question.answered": "Question answered",
    "twin_core.setpoint_write.leased": "Taken up by the write gate",
    "twin_core.setpoint_write.refused": "Refused by the write gate",
}
LOOKS = {"endorsed": "signed", "asked": "returned", "answered": "released", "leased": "written"}


def recommendation_page(
    found: Recommendation, person: Any, *, dialogs: Sequence[Any] = (), notice: str = ""
) -> RecommendationPage:
    """Return the page of a recommendation as this person sees it now."""
    told, course, records = standing.evidence(found), Course(found.batch), records_of(found)
    estimate = found.forecast.estimate
    return RecommendationPage(
        id=str(found.pk),
        title=found.title,
        state=found.state,
        risk=queue.risk(found),
        batch=found.batch.number,
        batch_href=reverse("web:batch", args=[found.batch.number]),
        why=told["why"],
        confidence=told["confidence"],
        moves=[move(found, told)],
        effects=effects(told),
        issued_h=float(found.issued_h),
        issued_at=records[0].recorded_at,
        **expiry(found, course),
        chart=main_chart(told, course),
        verdicts=[verdict(one) for one in told["assumptions"]],
        inputs=inputs(found, records[0].pk),
        samples=list(samples(audit.decode(audit.get_blob(estimate.inputs)))),
        model=told["model"]["name"],
        model_href=version_href(estimate.model_version_id),
        model_digest=told["model"]["digest"],
        view_digest=audit.view_digest(standing.view(found)),
        label=course.label,
        needs=needs(found),
        may_not_sign=may_not_sign(found, person),
        dialogs=dialogs,
        signatures=[line for record in records for line in audit.signature_lines(record)],
        steps=[step(record) for record in records if record.kind not in UNSAID],
        questions=[question(one) for one in found.questions.order_by("pk")],
        alternatives=[alternative(one) for one in told["alternatives"]],
        notice=notice,
        **addresses(found),
    )


UNSAID = {"twin_core.setpoint_write.sent", "twin_core.setpoint_write.confirmed",
          "twin_core.setpoint_write.unknown", "twin_core.setpoint_write.deviation"}  # fmt: skip


def addresses(found: Recommendation) -> dict[str, Any]:
    made = capsules.of(found)
    return {
        "capsule_digest": made[1] if made else "",
        "capsule_href": reverse("audit:blob", args=list(made)) if made else "",
        "decision_href": reverse("web:decision", args=[found.pk]),
        "record_href": reverse("audit:record", args=[found.record_id]),
        "live_href": reverse("web:stream", args=[found.batch.number]),
        "moved_href": reverse("web:moved", args=[found.pk]),
    }


def expiry(found: Recommendation, course: Course) -> dict[str, Any]:
    """Return when it expires by both clocks; None for what does not expire any more."""
    if found.state != State.PROPOSED and not (found.state == State.APPROVED and found.is_writable):
        return {"expires_h": None, "expires_at": None}
    at = expected_at(found.expires_h, now_h=course.now_h, pace=course.speed)
    return {"expires_h": float(found.expires_h), "expires_at": at}


def move(found: Recommendation, told: dict[str, Any]) -> Move:
    allowed, unit = told.get("allowed"), unit_shown(found.unit)
    return Move(
        words=tag_words(found.tag),
        unit=found.unit,
        now=found.current_value or None,
        advised=found.value,
        at_h=float(found.value) if found.tag == HARVEST else None,
        allowed=f"{short(allowed[0])} to {short(allowed[1])} {unit}" if allowed else "",
    )


def effects(told: dict[str, Any]) -> list[Effect]:
    """Return the expected effects, what weighs most first."""
    bounds = {limit["tag"]: limit for limit in told["limits"]}
    order = {tag: place for place, tag in enumerate(SHOWN_FIRST)}
    rows = sorted(told["effects"], key=lambda one: order.get(one["tag"], len(order)))
    return [
        Effect(
            words=tag_words(one["tag"]),
            unit=one["unit"],
            advised=one["advised"]["mean"],
            advised_low=one["advised"]["lo90"],
            advised_high=one["advised"]["hi90"],
            untouched=one["untouched"]["mean"],
            untouched_low=one["untouched"]["lo90"],
            untouched_high=one["untouched"]["hi90"],
            limit=bound_words(bounds.get(one["tag"])),
            is_met=one["is_met"],
        )
        for one in rows
    ]


def bound_words(limit: dict[str, Any] | None) -> str:
    if limit is None:
        return ""
    parts = [
        f"{sign} {short(limit[side])}"
        for side, sign in (("low", "≥"), ("high", "≤"))
        if limit[side] is not None
    ]
    return f"{' and '.join(parts)} {unit_shown(limit['unit'])}".strip()


def main_chart(told: dict[str, Any], course: Course) -> charts.Chart | None:
    """Return the course of what the advice is about: the first effect that has one."""
    tags = {row["tag"] for row in told["effects"]}
    for tag in (*SHOWN_FIRST, *sorted(tags)):
        if tag in tags:
            return charts.effect_chart(told, tag, course)
    return None


def verdict(one: dict[str, Any]) -> Verdict:
    is_kept = one["verdict"] == "kept"
    tag, colon, rest = one["name"].partition(": ")
    name = f"{tag_words(tag)}{colon}{rest}" if colon else sentence(tag).rstrip(".")
    return Verdict(
        words=name if is_kept else f"{name}: {one['why']}",
        state="holds" if is_kept else "broken",
        measured=short(one["measure"], 3),
        bound=short(one["threshold"], 3),
    )


def alternative(one: dict[str, Any]) -> tuple[str, str]:
    """Return an alternative in words: what it changes, and how it ends."""
    what = ", ".join(
        f"{tag_words(change['tag'])} {short(change['value'])} {unit_shown(change['unit'])}"
        for change in one["changes"]
    )
    share = 100 * float(one["share_better"])
    why = (
        f"{short(one['product_g'], 3)} g of product at {float(one['harvest_h']):.0f} h; "
        f"more than doing nothing in {share:.0f} % of the model's members"
    )
    return what, why


def inputs(found: Recommendation, proposal: Any) -> list[InputLink]:
    """Return the records that the recommendation cites; ``proposal`` is its own first one."""
    forecast, estimate = found.forecast, found.forecast.estimate
    version = estimate.model_version
    rows = [
        (f"Forecast at {forecast.issued_h:.1f} h", "to the end of the batch", forecast.record),
        (f"Estimate at {estimate.at_h:.1f} h", "made from the values below", estimate.record),
        (f"Model version {version.name}", "as it was put in force", version.record),
    ]
    links = [
        InputLink(words, detail, bytes(record.leaf).hex(), _record_href(record.pk))
        for words, detail, record in rows
    ]
    document = reverse("audit:blob", args=[estimate.record_id, estimate.inputs])
    links.append(InputLink("Input document", "all values in one file", estimate.inputs, document))
    evidence = reverse("audit:blob", args=[proposal, found.content])
    links.append(InputLink("Evidence document", "what is shown here", found.content, evidence))
    return links


def samples(document: dict[str, Any]) -> Iterator[InputLink]:
    """Yield a link for every laboratory value and every flush of on-line data behind it."""
    leaves = [bytes.fromhex(row["record"]) for row in document["laboratory"]]
    records = {
        bytes(leaf).hex(): pk
        for leaf, pk in audit.Record.objects.filter(leaf__in=leaves).values_list("leaf", "pk")
    }
    for row in document["laboratory"]:
        words = f"{tag_words(row['tag'])} {short(row['value'])} {unit_shown(row['unit'])}"
        detail = f"sampled at {float(row['sampled_h']):.1f} h, known at {row['received_h']} h"
        href = _record_href(records[row["record"]]) if row["record"] in records else ""
        yield InputLink(words, detail, row["record"], href)
    yield from _flushes([row["id"] for row in document["segments"]])


def _flushes(wanted: list[str]) -> Iterator[InputLink]:
    """Yield one link for each record that sealed segments: its tags and its stretch of time."""
    flushes: dict[Any, list[DataSegment]] = {}
    rows = DataSegment.objects.filter(pk__in=wanted).defer("content").select_related("record")
    for segment in rows.order_by("from_h", "id"):
        flushes.setdefault(segment.record, []).append(segment)
    for record, held in flushes.items():
        low, high = min(s.from_h for s in held), max(s.to_h for s in held)
        count = sum(segment.count for segment in held)
        yield InputLink(
            f"Data segment {low:.1f} to {high:.1f} h",
            f"{count} samples of {len(held)} tags",
            bytes(record.leaf).hex(),
            _record_href(record.pk),
        )


def _record_href(pk: Any) -> str:
    return reverse("audit:record", args=[pk])


def needs(found: Recommendation) -> str:
    """Return who signs and what happens then, in words."""
    if found.state != State.PROPOSED:
        return ""
    who = (
        "Two different people of QA sign, because it cannot be undone."
        if found.is_high_impact
        else "One QA reviewer or QA approver signs."
    )
    then = (
        "Then the write gate checks everything again by itself and writes."
        if found.is_writable
        else "Then it is for action by the operator: nothing is written."
    )
    return f"{who} {then}"


def may_not_sign(found: Recommendation, person: Any) -> str:
    """Return why this person may not sign now, in words; empty when she may or all is decided."""
    if found.state != State.PROPOSED:
        return ""
    reasons = standing.refusals(found, signer=person)
    return sentence("; ".join(reasons)) if reasons else ""


def records_of(found: Recommendation) -> list[Any]:
    """Return the records of a recommendation, its questions and its write; its proposal first."""
    rows = audit.Record.objects.filter(
        stream=f"batch/{found.batch.number}", payload__contains=str(found.pk)
    )
    return [
        record
        for record in rows.order_by("id")
        if record.kind.startswith(KINDS) and audit.content(record)["changes"]
    ]


def step(record: Any) -> StepRow:
    told, last = audit.content(record), record.kind.rsplit(".", 1)[1]
    new = told["changes"][0]["new"]
    said = new.get("answer") or new.get("question") or told["reason"] or ""
    return StepRow(
        state=LOOKS.get(last, last),
        words=STEP_WORDS.get(record.kind, last.replace("_", " ").capitalize()),
        at=record.recorded_at,
        who=told["actor"]["name"],
        reason=said,
        href=_record_href(record.pk),
    )


def question(one: Any) -> QuestionRow:
    return QuestionRow(
        asked_by=str(one.asked_by),
        question=one.question,
        answered_by=str(one.answered_by) if one.answered_by_id else "",
        answer=one.answer,
    )


def decided_by(found: Recommendation) -> str:
    """Return who moved the item last and when, in words: what a second reviewer is told."""
    record = found.record
    told = audit.content(record)
    last = record.kind.rsplit(".", 1)[1]
    words = STEP_WORDS.get(record.kind, last).lower()
    return f"{words} by {told['actor']['name']} at {record.recorded_at:%H:%M:%S} UTC"
