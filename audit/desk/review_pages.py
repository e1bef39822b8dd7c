"""A review and the list of reviews as pages."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse
from django.utils import timezone

from audit import signatures, words
from audit.desk import reviews, rules, scope
from audit.desk.forms import AbandonForm, AssignForm, JudgeForm, OpenReviewForm, SignReviewForm
from audit.desk.pages import EntryRow, Gap, LeftOut, ReviewPage, ReviewRow, ReviewsPage
from audit.desk.search import Search
from audit.guards import trust
from audit.identity import current_roles
from audit.models import Record, ReviewJudgement, TrailReview, User
from audit.pages import SigningDialog
from audit.signature_lines import signature_lines
from audit.trail import Filters

MOST_GAPS = 20
MOST_REVIEWS = 100
Verdict = ReviewJudgement.Verdict
EXACT = "%Y-%m-%d %H:%M:%S.%f"


def may_review(person: Any) -> bool:
    return bool(current_roles(person) & set(reviews.REVIEWERS))


# ------------------------------------------------------------------------- list
def reviews_page(person: User, form: OpenReviewForm | None) -> ReviewsPage:
    """Return the list of reviews with the spans of time that none covers."""
    text = rules.load()
    seen = scope.of(person)
    rows = TrailReview.objects.select_related("reviewer", "of_person").filter(seen.query())
    signed = TrailReview.objects.filter(state="signed", stream="", of_person=None)
    spans = [] if seen.is_limited else reviews.gaps()
    return ReviewsPage(
        rows=[_row(review) for review in rows.order_by("-id")[:MOST_REVIEWS]],
        gaps=[_gap(*span) for span in spans[-MOST_GAPS:][::-1]],
        rules=[(rule.title, rule.weight, rule.why) for rule in text.rules],
        rules_digest=text.digest,
        form=form if may_review(person) else None,
        last_reviewed=signed.order_by("-until").values_list("until", flat=True).first(),
    )


def _row(review: TrailReview) -> ReviewRow:
    told = reviews.ranking_of(review)
    verdicts = Counter(review.judgements.values_list("verdict", flat=True))
    return ReviewRow(
        href=reverse("audit:review", args=[review.pk]),
        words=what_of(review),
        since=review.since,
        until=review.until,
        reviewer=review.reviewer.printed_name,
        state=review.state,
        judged=sum(verdicts.values()),
        entries=len(told["ranked"]),
        findings=verdicts[Verdict.FINDING],
        own_acts=0 if review.remainders.filter(state="signed").exists() else told["own_acts"],
    )


def what_of(review: TrailReview) -> str:
    """Return in words what a review is of."""
    of = f"Acts of {review.of_person.printed_name}" if review.of_person else "Everything"
    return f"{of} in {review.stream}" if review.stream else of


def _gap(since: datetime, until: datetime) -> Gap:
    asked = {"since": f"{since:{EXACT}}", "until": f"{until:{EXACT}}"}
    count = Search(Filters(since=since, until=until)).count()
    return Gap(since, until, str(count), f"{reverse('audit:reviews')}?{urlencode(asked)}#open")


# ------------------------------------------------------------------------ review
def review_page(
    review: TrailReview, person: User, *, refused: dict[str, Any] | None = None
) -> ReviewPage:
    """Return a review as ``person`` sees it; ``refused`` holds forms sent back, by name."""
    refused = refused or {}
    told, text = reviews.ranking_of(review), reviews.rules_of(review)
    is_mine = review.reviewer_id == person.pk and review.state == "opened"
    entries = _entries(review, told["ranked"], text, is_mine, refused)
    waiting = next((row for row in entries if not row.verdict), None)
    return ReviewPage(
        title=f"{what_of(review)}, {review.since:%Y-%m-%d %H:%M} to {review.until:%Y-%m-%d %H:%M}",
        state=review.state,
        reviewer=review.reviewer.printed_name,
        scope_words=what_of(review),
        since=review.since,
        until=review.until,
        rules_digest=review.rules,
        threshold=text.threshold,
        entries=entries,
        judged=sum(bool(row.verdict) for row in entries),
        own_acts=told["own_acts"],
        left_out=[LeftOut(kind, count) for kind, count in _most_first(told["left_out"])],
        seen=told["seen"],
        is_mine=is_mine,
        trail_href=_trail_href(review),
        **_remainder(review, person, told),
        dialogs=_dialogs(review, person, refused) if is_mine else [],
        signatures=signature_lines(review.record),
        next_href=f"#entry-{waiting.id}" if waiting and is_mine else "",
    )


def _most_first(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def _trail_href(review: TrailReview) -> str:
    asked = {
        "since": f"{review.since:%Y-%m-%d %H:%M:%S}",
        "until": f"{review.until:%Y-%m-%d %H:%M:%S}",
    }
    if review.stream:
        asked["stream"] = review.stream
    return f"{reverse('audit:trail')}?{urlencode(asked)}"


def _entries(
    review: TrailReview,
    ranked: Sequence[dict[str, Any]],
    text: rules.Rules,
    is_mine: bool,
    refused: dict[str, Any],
) -> list[EntryRow]:
    records = Record.objects.in_bulk([UUID(each["id"]) for each in ranked])
    judged = {str(each.entry): each for each in review.judgements.all()}
    known, doubtful = text.by_id(), trust.untrusted(list(records.values()))
    return [
        _entry(
            review,
            records[UUID(each["id"])],
            each,
            known,
            judged.get(each["id"]),
            is_mine,
            refused,
            is_trusted=UUID(each["id"]) not in doubtful,
        )
        for each in ranked
        if UUID(each["id"]) in records
    ]


def _entry(
    review: TrailReview,
    record: Record,
    ranked: dict[str, Any],
    known: dict[str, rules.Rule],
    judged: ReviewJudgement | None,
    is_mine: bool,
    refused: dict[str, Any],
    *,
    is_trusted: bool,
) -> EntryRow:
    told = trust.told(record, is_trusted=is_trusted)
    key = ranked["id"]
    given = {"verdict": judged.verdict, "words": judged.words} if judged else {}
    form = refused.get(key) or JudgeForm(initial=given, auto_id=f"judge-{key}-%s")
    return EntryRow(
        id=key,
        href=reverse("audit:record", args=[record.pk]),
        recorded_at=record.recorded_at,
        actor=told["actor"],
        words=words.headline(record.kind, told) if is_trusted else trust.ALTERED,
        stream=record.stream,
        reason=told["reason"] or "",
        score=ranked["score"],
        rules=[(known[name].title, known[name].why) for name in ranked["rules"]],
        verdict=judged.verdict if judged else "",
        said=judged.words if judged else "",
        is_trusted=is_trusted,
        form=form if is_mine else None,
        judge_href=reverse("audit:judge", args=[review.pk, record.pk]),
    )


def _remainder(review: TrailReview, person: User, told: dict[str, Any]) -> dict[str, Any]:
    """Return who reviews the acts left out as the reviewer's own, or the form to say who shall."""
    given = review.remainders.exclude(state="abandoned").select_related("reviewer")
    shown = [
        (
            f"{one.reviewer.printed_name}, {one.get_state_display().lower()}",
            reverse("audit:review", args=[one.pk]),
        )
        for one in given
    ]
    may_assign = told["own_acts"] and not shown and may_review(person)
    return {
        "remainders": shown,
        "remainder_form": AssignForm(without=str(review.reviewer_id)) if may_assign else None,
        "remainder_href": reverse("audit:remainder", args=[review.pk]),
    }


def _dialogs(review: TrailReview, person: User, refused: dict[str, Any]) -> list[SigningDialog]:
    view = reviews.view(review)
    made = [_abandon_dialog(review, person, refused.get("abandon"))]
    if all(each["verdict"] for each in view["entries"]):
        made.append(_sign_dialog(review, person, view, refused.get("sign")))
    return made


def _sign_dialog(
    review: TrailReview, person: User, view: dict[str, Any], sent: Any
) -> SigningDialog:
    digest = signatures.view_digest(view)
    form: Any = sent or SignReviewForm(auto_id="sign-%s")
    form.initial["view"] = digest
    if form.is_bound:
        form.data = {**form.data.dict(), "view": digest, "code": ""}
    entries = view["entries"]
    findings = sum(each["verdict"] == Verdict.FINDING for each in entries)
    ready = signatures.next_code_at(person, timezone.now())
    return SigningDialog(
        id="sign",
        title="Sign the review",
        action_href=reverse("audit:sign_review", args=[review.pk]),
        statement=f"I have looked at each of the {len(entries)} ranked entries of this period: "
        f"{findings} findings. {sum(view['left_out'].values())} entries below the threshold and "
        f"{view['own_acts']} acts of my own were left out.",
        view_digest=digest,
        printed_name=person.printed_name,
        form=form,
        submit_label="Sign the review",
        code_ready_at=ready if ready > timezone.now() else None,
        is_open=sent is not None,
    )


def _abandon_dialog(review: TrailReview, person: User, sent: Any) -> SigningDialog:
    return SigningDialog(
        id="abandon",
        title="Give the review up",
        action_href=reverse("audit:abandon", args=[review.pk]),
        statement="Its judgements stay on the record; the period counts as not reviewed.",
        view_digest="",
        printed_name=person.printed_name,
        form=sent or AbandonForm(auto_id="abandon-%s"),
        submit_label="Give it up",
        is_danger=True,
        needs_signature=False,
        is_open=sent is not None,
    )
