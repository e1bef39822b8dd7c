"""Reviews of the trail: opened with a fixed ranking, judged entry by entry, signed as a whole."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit import canonical, identity, ledger, signatures
from audit.desk import ranking, rules
from audit.desk import scope as scopes
from audit.guards import trust
from audit.models import Block, Record, ReviewJudgement, Role, TrailReview, User
from audit.refusals import NotEntitled, Refused
from audit.signatures import Meaning

STREAM = "reviews"
REVIEWERS = (Role.QA_REVIEWER, Role.QA_APPROVER)
LISTED = 150  # judged entries that a record lists itself; more are told by the view's digest
State = TrailReview.State
Verdict = ReviewJudgement.Verdict


class ReviewRefused(Refused):
    """A review cannot go on as asked."""

    act = "audit.review"
    stream = STREAM
    what_to_do = "Open the review again and read what it waits for."


@transaction.atomic
def open_review(
    *, by: User, since: datetime, until: datetime, stream: str = "", reviewer: User | None = None
) -> TrailReview:
    """Open a review of a period for ``reviewer`` (by default ``by``) and rank its entries.

    Raises ReviewRefused, RankingRefused, NotEntitled.
    """
    review = TrailReview(reviewer=reviewer or by, stream=stream, since=since, until=until)
    return _open(review, by)


@transaction.atomic
def open_remainder(review: TrailReview, *, by: User, reviewer: User) -> TrailReview:
    """Open a review of the acts that a reviewer could not review, being their own.

    Raises ReviewRefused, RankingRefused, NotEntitled.
    """
    if review.reviewer_id == reviewer.pk:
        raise NotEntitled(
            f"{reviewer.printed_name} may not review their own acts",
            what_to_do="Assign them to another reviewer.",
            act="audit.review",
        )
    made = TrailReview(reviewer=reviewer, of_person=review.reviewer, remainder_of=review)
    made.since, made.until, made.stream = review.since, review.until, review.stream
    return _open(made, by)


def _open(review: TrailReview, by: User) -> TrailReview:
    _require_reviewer(by, "open a review of the trail")
    _require_reviewer(review.reviewer, "review the trail")
    _check_period(review)
    review.cut, review.state, text = _cut(), State.OPENED, rules.load()
    made = ranking.rank(
        ranking.entries_of(review.since, review.until, review.stream, review.cut),
        text,
        reviewer=str(review.reviewer_id),
        of_person=str(review.of_person_id) if review.of_person_id else None,
    )
    told = made.as_told(
        since=review.since,
        until=review.until,
        stream=review.stream,
        cut=review.cut,
        rules=text.digest,
    )
    review.rules = ledger.put_blob(rules.PLACE.read_bytes(), "application/yaml")
    review.ranking = ledger.put_blob(canonical.encode(told), "application/json")
    _write("opened", review, None, by=by, blobs=[review.rules, review.ranking], data=_counts(told))
    return review


def _require_reviewer(person: User, what: str) -> None:
    identity.require_role(person, *REVIEWERS, to=what)


def _check_period(review: TrailReview) -> None:
    if not review.since < review.until:
        raise ReviewRefused(
            "the period ends before it begins", what_to_do="Give a beginning and a later end."
        )
    if review.until > timezone.now():
        raise ReviewRefused(
            "the period has not ended yet", what_to_do="Let it end before this very moment."
        )
    seen = scopes.of(review.reviewer)
    if seen.is_limited and not review.stream:
        raise ReviewRefused(
            f"{review.reviewer.printed_name} sees a part of the streams only",
            what_to_do="Name one of these streams.",
        )
    seen.require(review.stream)


def _cut() -> int:
    last = Block.objects.order_by("-number").first()
    if last is None:
        raise ReviewRefused("nothing is sealed yet", what_to_do="See whether the sealer runs.")
    return last.first_sequence + last.count


def _counts(told: dict[str, Any]) -> dict[str, Any]:
    counts = {name: told[name] for name in ("seen", "own_acts", "left_out", "cut")}
    return {**counts, "ranked": len(told["ranked"]), "rules": told["rules"]}


def ranking_of(review: TrailReview) -> dict[str, Any]:
    """Return the ranking that the review was opened with, as it is kept."""
    return canonical.decode(ledger.get_blob(review.ranking))


def rules_of(review: TrailReview) -> rules.Rules:
    """Return the rules that the review was opened under, whatever they are today."""
    return rules.load(ledger.get_blob(review.rules))


@transaction.atomic
def judge(
    review: TrailReview, entry: UUID, *, by: User, verdict: str, words: str
) -> ReviewJudgement:
    """Say of one ranked entry what the reviewer thinks of it; said again it replaces the first.

    Raises ReviewRefused, NotEntitled.
    """
    fresh = _mine(review, by)
    told = next((each for each in ranking_of(fresh)["ranked"] if each["id"] == str(entry)), None)
    if told is None:
        raise ReviewRefused("this entry is not among those that the review ranks")
    record = Record.objects.get(pk=entry)
    actor = trust.told(record, is_trusted=not trust.untrusted([record]))["actor"]
    if (actor["kind"], actor["id"]) == ("person", str(by.pk)):
        raise NotEntitled("nobody judges their own act", act="audit.review")
    if verdict not in Verdict.values:
        raise ReviewRefused(f"{verdict!r} is no verdict", what_to_do=f"Use {Verdict.values}.")
    if len(words.strip()) < identity.SHORTEST_REASON:
        raise ReviewRefused("the words are missing", what_to_do="Say in a few words what you saw.")
    found = ReviewJudgement.objects.filter(review=fresh, entry=entry).first()
    old = found.state_fields() if found else None
    found = found or ReviewJudgement(review=fresh, entry=entry)
    found.verdict, found.words = verdict, words.strip()
    kind = "audit.review.judged" if verdict == Verdict.NO_CONCERN else "audit.review.found"
    made = ledger.append(
        stream=STREAM,
        kind=kind,
        actor=by,
        subject=found,
        old=old,
        new=found.state_fields(),
        reason=found.words,
        parents=[record.leaf],
    )
    found.save(record=made)
    return found


def _mine(review: TrailReview, by: User) -> TrailReview:
    """Return the review, locked and open, if it is this person's."""
    fresh = TrailReview.objects.select_for_update(no_key=True).get(pk=review.pk)
    if fresh.reviewer_id != by.pk:
        raise NotEntitled(
            f"this review is {fresh.reviewer.printed_name}'s",
            what_to_do="Open one of your own.",
            act="audit.review",
        )
    _require_reviewer(by, "review the trail")
    if fresh.state != State.OPENED:
        raise ReviewRefused(f"this review is {fresh.get_state_display().lower()}")
    return fresh


def view(review: TrailReview) -> dict[str, Any]:
    """Return the document that is signed: period, rules, every entry with its judgement, and what
    was left out.
    """
    told = ranking_of(review)
    judged = {str(each.entry): each for each in review.judgements.all()}
    return {
        "v": 1,
        "review": review.pk,
        "reviewer": review.reviewer_id,
        "since": review.since,
        "until": review.until,
        "stream": review.stream,
        "of_person": review.of_person_id,
        "rules": review.rules,
        "ranking": review.ranking,
        "cut": review.cut,
        "entries": [
            {
                **each,
                "verdict": judged[each["id"]].verdict if each["id"] in judged else None,
                "words": judged[each["id"]].words if each["id"] in judged else None,
            }
            for each in told["ranked"]
        ],
        "left_out": told["left_out"],
        "own_acts": told["own_acts"],
        "seen": told["seen"],
    }


@transaction.atomic
def sign(review: TrailReview, *, signer: User, proof: Any, reason: str, shown: str) -> TrailReview:
    """Sign a review whose every entry was judged; ``shown`` is the digest of the view.

    Raises ReviewRefused, ViewChanged, SignatureRefused, NotEntitled; nothing is changed then.
    """
    fresh = _mine(review, signer)
    document = view(fresh)
    signatures.require_view(document, shown)
    if missing := [each for each in document["entries"] if each["verdict"] is None]:
        raise ReviewRefused(
            f"{len(missing)} ranked entries are not judged yet",
            what_to_do="Look at each and say what you think of it, then sign.",
        )
    now = timezone.now()
    old = fresh.state_fields()
    fresh.state = State.SIGNED
    record = _write(
        "signed",
        fresh,
        old,
        by=signer,
        reason=reason,
        blobs=[fresh.rules, fresh.ranking],
        parents=_evidence(fresh),
        data=_signed_facts(document),
        at=now,
    )
    signatures.sign(
        record,
        signer=signer,
        proof=proof,
        meaning=Meaning.REVIEW,
        reason=reason,
        view=document,
        roles=REVIEWERS,
        now=now,
    )
    return fresh


def _evidence(review: TrailReview) -> list[bytes]:
    """Return the leaf of the record that opened the review."""
    opened = Record.objects.filter(stream=STREAM, kind="audit.review.opened")
    found = opened.filter(payload__contains=f'"id":"{review.pk}"').first()
    return [bytes(found.leaf)] if found else []


def _signed_facts(document: dict[str, Any]) -> dict[str, Any]:
    entries = document["entries"]
    findings = [each for each in entries if each["verdict"] == Verdict.FINDING]
    return {
        "since": document["since"],
        "until": document["until"],
        "review_of": document["stream"],
        "cut": document["cut"],
        "rules": document["rules"],
        "view": signatures.view_digest(document),
        "judged": len(entries),
        "findings": len(findings),
        "entries": [
            {"sequence": each["sequence"], "verdict": each["verdict"]} for each in entries[:LISTED]
        ],
        "left_out": document["left_out"],
        "own_acts": document["own_acts"],
    }


@transaction.atomic
def abandon(review: TrailReview, *, by: User, reason: str) -> TrailReview:
    """Give an open review up: its period is not reviewed. Raises ReviewRefused, NotEntitled."""
    fresh = _mine(review, by)
    if len(reason.strip()) < identity.SHORTEST_REASON:
        raise ReviewRefused("the reason is missing", what_to_do="Say why in a few words.")
    old = fresh.state_fields()
    fresh.state = State.ABANDONED
    _write("abandoned", fresh, old, by=by, reason=reason.strip())
    return fresh


def _write(
    what: str,
    review: TrailReview,
    old: dict[str, Any] | None,
    *,
    by: User,
    reason: str | None = None,
    blobs: Iterable[str] = (),
    parents: Iterable[bytes] = (),
    data: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> Record:
    record = ledger.append(
        stream=STREAM,
        kind=f"audit.review.{what}",
        actor=by,
        subject=review,
        old=old,
        new=review.state_fields(),
        reason=reason,
        blobs=blobs,
        parents=parents,
        data=data,
        occurred_at=at,
    )
    review.save(record=record)
    return record


Span = tuple[datetime, datetime]


def gaps(*, until: datetime | None = None) -> list[Span]:
    """Return the spans of recorded time that no signed review of every stream covers.

    A review of a part, or of one person's acts, closes no gap.
    """
    times = Record.objects.values_list("recorded_at", flat=True)
    first, last = times.order_by("id").first(), times.order_by("-id").first()
    if first is None or last is None:
        return []
    signed = TrailReview.objects.filter(state=State.SIGNED, stream="", of_person=None)
    spans = sorted(signed.values_list("since", "until"))
    return uncovered((first, until or last), spans)


def uncovered(whole: Span, spans: Iterable[Span]) -> list[Span]:
    """Return what of ``whole`` lies in none of ``spans`` (sorted by beginning)."""
    start, end = whole
    left = []
    for since, until in spans:
        if since > start:
            left.append((start, min(since, end)))
        start = max(start, until)
        if start >= end:
            return left
    return [*left, (start, end)]
