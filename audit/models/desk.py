"""The auditor's desk: the index beside the ledger, reviews of the trail, scopes of people.

The index is no evidence: its tables are filled from sealed records, may be emptied and filled
again at any time, and are written by the indexer's role alone. Reviews and scopes are regulated.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from audit.fields import TransactionIdField
from audit.models.people import User
from audit.models.records import Record
from audit.regulated import RegulatedModel


class SearchRow(models.Model):
    """One sealed record as it is found again; the record itself is read from the ledger.

    ``about`` holds tags, one for each thing that a filter may ask for: ``stream batch/B-1``,
    ``family batch``, ``kind a.b.c``, ``actor ID``, ``subject TYPE ID``, ``type TYPE``, ``id ID``.
    ``words`` and ``reason`` are folded, so that search knows no upper case.
    """

    sequence = models.BigIntegerField(primary_key=True)
    bucket = models.IntegerField(editable=False)  # generated: sequence / 16,384
    record = models.ForeignKey(
        Record, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    recorded_at = models.DateTimeField()
    kind = models.CharField(max_length=120)
    stream = models.CharField(max_length=120)
    actor_id = models.CharField(max_length=200)
    actor_kind = models.CharField(max_length=20)
    reason = models.TextField(null=True)
    about = ArrayField(models.TextField())
    words = models.TextField()

    class Meta:
        managed = False  # generated column and operator classes: see 0014_desk
        db_table = "audit_searchrow"

    def __str__(self) -> str:
        return f"{self.sequence} {self.kind}"


class SearchBucket(models.Model):
    """What 16,384 successive rows span: a search leaves out the buckets that cannot fit.

    The last bucket also says how far the index goes: up to ``last_record`` of
    ``last_transaction``, place ``last_sequence``.
    """

    number = models.IntegerField(primary_key=True)
    count = models.IntegerField()
    recorded_from = models.DateTimeField()
    recorded_to = models.DateTimeField()
    last_sequence = models.BigIntegerField()
    last_transaction = TransactionIdField()
    last_record = models.UUIDField()

    class Meta:
        managed = False
        db_table = "audit_searchbucket"

    def __str__(self) -> str:
        return f"bucket {self.number}"


class TrailReview(RegulatedModel):
    """A reviewer's walk through what the rules rank in a period, until it is signed."""

    class State(models.TextChoices):
        OPENED = "opened", "Open"
        SIGNED = "signed", "Signed"
        ABANDONED = "abandoned", "Abandoned"

    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="reviews")
    stream = models.CharField(max_length=120, blank=True)  # empty: every stream
    since = models.DateTimeField()
    until = models.DateTimeField()
    of_person = models.ForeignKey(  # only this person's acts: what they could not review themselves
        User, on_delete=models.PROTECT, null=True, related_name="+"
    )
    remainder_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="remainders"
    )
    rules = models.CharField(max_length=64)  # SHA-256 of the rules' text
    ranking = models.CharField(max_length=64)  # SHA-256 of the ranked entries, kept as a blob
    cut = models.BigIntegerField()  # records before this sequence were ranked
    state = models.CharField(max_length=20, choices=State.choices)

    def __str__(self) -> str:
        return f"review {self.since:%Y-%m-%d} to {self.until:%Y-%m-%d} {self.stream}".strip()


class ReviewJudgement(RegulatedModel):
    """What the reviewer says of one ranked entry."""

    class Verdict(models.TextChoices):
        NO_CONCERN = "no_concern", "Seen, no concern"
        FINDING = "finding", "Finding"

    review = models.ForeignKey(TrailReview, on_delete=models.PROTECT, related_name="judgements")
    entry = models.UUIDField()  # id of the record judged
    verdict = models.CharField(max_length=20, choices=Verdict.choices)
    words = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["review", "entry"], name="one_judgement_an_entry")
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.entry}"


class StreamScope(RegulatedModel):
    """A stream (``batch/B-1``), or a family of them (``batch/*``), that a person is limited to.

    Who has no active one sees every stream that their role sees.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="scopes")
    stream = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "stream"], name="one_scope_a_stream")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.stream}"
