"""Reviews of the trail: ranked once, judged by another, signed as seen."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit import api as audit
from audit import ledger, signatures
from audit.desk import reviews
from audit.models import Record, ReviewJudgement, TrailReview
from audit.refusals import NotEntitled
from audit.signatures import ViewChanged
from tests.audit.desk.acts import act
from tests.audit.people import Person, enter


class Scene:
    """Two reviewers, and a period with entries that the rules rank."""

    def __init__(self, desk: Any) -> None:
        self.rosa = enter("rosa", "qa_reviewer", printed_name="Rosa Lind")
        self.quinn = enter("quinn", "qa_approver", printed_name="Quinn Abe")
        self.since = timezone.now()
        self.locked = act(1, kind="audit.session.locked", subject=None, reason=None)
        self.stepped = act(2, kind="audit.clock.stepped", subject=None, reason=None)
        self.own = act(3, kind="audit.clock.stepped", actor=self.rosa.user, subject=None)
        self.plain = act(4, reason="as planned")
        self.until = timezone.now()
        desk.seal()

    def open(self, **more: Any) -> TrailReview:
        facts = {"by": self.rosa.user, "since": self.since, "until": self.until, **more}
        return reviews.open_review(**facts)

    def judge_all(self, review: TrailReview) -> None:
        for each in reviews.ranking_of(review)["ranked"]:
            reviews.judge(
                review, each["id"], by=review.reviewer, verdict="no_concern", words="looked at it"
            )

    def sign(self, review: TrailReview, who: Person | None = None, **changes: Any) -> TrailReview:
        who = who or self.rosa
        proof = signatures.prove(who.user, password=who.password, code=who.code(timezone.now()))
        shown = audit.view_digest(reviews.view(review))
        facts = {"signer": who.user, "proof": proof, "reason": "all in order", "shown": shown}
        return reviews.sign(review, **{**facts, **changes})


@pytest.fixture
def scene(desk: Any) -> Scene:
    return Scene(desk)


@pytest.mark.requirement("URS-WEB-035")
@pytest.mark.requirement("URS-WEB-036")
def test_a_review_ranks_the_period_without_the_reviewers_own_acts(scene):
    told = reviews.ranking_of(scene.open())
    assert [each["id"] for each in told["ranked"]] == [str(scene.locked.pk), str(scene.stepped.pk)]
    assert told["own_acts"] == 1
    assert told["left_out"] == {"tests.probe.taken": 1}
    assert told["seen"] == 3


@pytest.mark.requirement("URS-WEB-035")
def test_a_review_ranks_the_same_after_the_indexer_has_run(scene, desk):
    first = reviews.ranking_of(scene.open())
    desk.index()
    second = reviews.ranking_of(scene.open())
    assert [each["id"] for each in first["ranked"]] == [each["id"] for each in second["ranked"]]
    one_stream = reviews.ranking_of(scene.open(stream="batch/B-1"))
    assert [each["id"] for each in one_stream["ranked"]] == [str(scene.locked.pk)]


@pytest.mark.requirement("URS-WEB-036")
def test_what_is_ones_own_is_assigned_to_another(scene):
    review = scene.open()
    with pytest.raises(NotEntitled, match="may not review their own acts"):
        reviews.open_remainder(review, by=scene.quinn.user, reviewer=scene.rosa.user)
    rest = reviews.open_remainder(review, by=scene.rosa.user, reviewer=scene.quinn.user)
    told = reviews.ranking_of(rest)
    assert [each["id"] for each in told["ranked"]] == [str(scene.own.pk)]
    assert rest.of_person_id == scene.rosa.user.pk


@pytest.mark.requirement("URS-WEB-036")
def test_an_entry_that_is_not_ranked_is_not_judged(scene):
    review = scene.open()
    for record in (scene.own, scene.plain):
        with pytest.raises(reviews.ReviewRefused, match="not among those"):
            reviews.judge(review, record.pk, by=scene.rosa.user, verdict="finding", words="hm hm")


@pytest.mark.requirement("URS-WEB-037")
def test_a_judgement_is_a_record_about_the_entry_and_can_be_changed_while_open(scene):
    review = scene.open()
    entry = scene.locked.pk
    reviews.judge(review, entry, by=scene.rosa.user, verdict="no_concern", words="typing error")
    again = reviews.judge(review, entry, by=scene.rosa.user, verdict="finding", words="three times")
    assert ReviewJudgement.objects.get(review=review).verdict == "finding"
    told = audit.content(Record.objects.get(pk=again.record_id))
    assert told["changes"][0]["old"]["verdict"] == "no_concern"
    assert told["parents"] == [bytes(scene.locked.leaf).hex()]


@pytest.mark.requirement("URS-WEB-037")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"verdict": "perhaps"}, "no verdict"),
        ({"words": "  "}, "words are missing"),
    ],
)
def test_a_judgement_without_words_or_verdict_is_refused(scene, given, words):
    review = scene.open()
    facts = {"by": scene.rosa.user, "verdict": "finding", "words": "three times", **given}
    with pytest.raises(reviews.ReviewRefused, match=words):
        reviews.judge(review, scene.locked.pk, **facts)
    with pytest.raises(NotEntitled, match="is Rosa Lind's"):
        reviews.judge(review, scene.locked.pk, **{**facts, "by": scene.quinn.user})


@pytest.mark.requirement("URS-WEB-037")
def test_a_review_is_signed_with_what_was_judged_and_what_was_left_out(scene):
    review = scene.open()
    reviews.judge(
        review, scene.locked.pk, by=scene.rosa.user, verdict="finding", words="three times"
    )
    reviews.judge(
        review, scene.stepped.pk, by=scene.rosa.user, verdict="no_concern", words="time server"
    )
    signed = scene.sign(review)
    record = Record.objects.get(pk=signed.record_id)
    told = audit.content(record)
    assert record.kind == "audit.review.signed"
    facts = told["data"]
    assert (facts["judged"], facts["findings"], facts["own_acts"]) == (2, 1, 1)
    assert facts["left_out"] == {"tests.probe.taken": 1}
    assert facts["rules"] == review.rules
    (line,) = audit.signature_lines(record)
    assert (line.printed_name, line.meaning, line.is_valid) == ("Rosa Lind", "Review", True)
    shown = audit.decode(ledger.get_blob(line.view_digest))
    assert [each["verdict"] for each in shown["entries"]] == ["finding", "no_concern"]


@pytest.mark.requirement("URS-WEB-037")
def test_a_review_is_not_signed_before_every_entry_was_judged(scene):
    review = scene.open()
    with pytest.raises(reviews.ReviewRefused, match="2 ranked entries are not judged"):
        scene.sign(review)
    assert TrailReview.objects.get(pk=review.pk).state == "opened"


@pytest.mark.requirement("URS-WEB-037")
def test_a_view_that_has_changed_is_not_signed(scene):
    review = scene.open()
    scene.judge_all(review)
    with pytest.raises(ViewChanged):
        scene.sign(review, shown="0" * 64)


@pytest.mark.requirement("URS-WEB-036")
@pytest.mark.requirement("URS-WEB-037")
def test_another_persons_review_is_not_signed(scene):
    review = scene.open()
    scene.judge_all(review)
    with pytest.raises(NotEntitled, match="is Rosa Lind's"):
        scene.sign(review, scene.quinn)


@pytest.mark.requirement("URS-WEB-037")
def test_a_signed_review_stays_as_it_is_in_the_database_too(scene):
    review = scene.open()
    scene.judge_all(review)
    scene.sign(review)
    with pytest.raises(reviews.ReviewRefused, match="is signed"):
        reviews.judge(
            review, scene.locked.pk, by=scene.rosa.user, verdict="finding", words="after all"
        )
    row = ReviewJudgement.objects.get(entry=scene.locked.pk)
    old, row.words = row.state_fields(), "rewritten"
    with pytest.raises(IntegrityError, match="is not open"), transaction.atomic():
        record = audit.append(
            stream="reviews", kind="tests.forged", subject=row, old=old, new=row.state_fields()
        )
        row.save(record=record)


@pytest.mark.requirement("URS-WEB-035")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"since": timezone.now() + timedelta(days=2)}, "ends before it begins"),
        ({"until": timezone.now() + timedelta(days=2)}, "has not ended"),
    ],
)
def test_a_period_that_cannot_be_reviewed_is_refused(scene, given, words):
    with pytest.raises(reviews.ReviewRefused, match=words):
        scene.open(**given)


@pytest.mark.requirement("URS-WEB-036")
def test_a_review_is_for_reviewers(scene):
    olga = enter("olga", "plant_operator")
    with pytest.raises(NotEntitled, match="may not open a review"):
        scene.open(by=olga.user, reviewer=scene.rosa.user)
    with pytest.raises(NotEntitled, match="may not review the trail"):
        scene.open(reviewer=olga.user)


@pytest.mark.requirement("URS-WEB-037")
def test_the_spans_that_no_signed_review_covers_are_told(scene):
    review = scene.open()
    assert len(reviews.gaps()) == 1
    scene.judge_all(review)
    scene.sign(review)
    (before, after) = reviews.gaps()
    assert before[1] == scene.since
    assert after[0] == scene.until


@pytest.mark.requirement("URS-WEB-037")
def test_an_abandoned_review_and_one_of_a_part_close_no_gap(scene):
    given_up = scene.open()
    reviews.abandon(given_up, by=scene.rosa.user, reason="wrong period")
    part = scene.open(stream="batch/B-1")
    scene.judge_all(part)
    scene.sign(part)
    assert len(reviews.gaps()) == 1


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=timezone.get_current_timezone())


@pytest.mark.requirement("URS-WEB-037")
@pytest.mark.parametrize(
    ("spans", "left"),
    [
        ([], [(1, 9)]),
        ([(1, 9)], []),
        ([(2, 4), (3, 6)], [(1, 2), (6, 9)]),
        ([(1, 3), (3, 5), (7, 20)], [(5, 7)]),
        ([(10, 12)], [(1, 9)]),
    ],
)
def test_gaps_are_what_no_span_covers(spans, left):
    given = [(day(a), day(b)) for a, b in spans]
    assert reviews.uncovered((day(1), day(9)), given) == [(day(a), day(b)) for a, b in left]
