"""Months of the ledger over decades: archived, held, dropped; and acts that are done once."""

from django.db import models

from audit.fields import ClockTimestamp, TransactionIdField
from audit.regulated import RegulatedModel


class ArchivedMonth(RegulatedModel):
    """One month of records from its archive on; a month without a row is open or just over.

    ``records`` to ``size`` are facts of the archive and never change; ``retain_until`` may only
    move away; ``dropped`` and ``lines_digest`` come when the records' text goes.
    """

    class State(models.TextChoices):
        ARCHIVED = "archived", "Archived"
        DROPPED = "dropped", "Dropped"

    month = models.CharField(max_length=7, unique=True)  # "2026-01", UTC
    state = models.CharField(max_length=10, choices=State.choices)
    records = models.BigIntegerField()
    first_sequence = models.BigIntegerField()
    last_sequence = models.BigIntegerField()
    manifest = models.CharField(max_length=64)  # SHA-256 (hex) of the bundle's manifest
    size = models.BigIntegerField()  # bytes of the bundle's files
    place = models.CharField(max_length=400)  # folder of the bundle when it was made
    retain_until = models.DateTimeField()
    dropped = models.BigIntegerField(default=0)
    lines_digest = models.CharField(max_length=64, blank=True)  # over the index lines dropped

    def __str__(self) -> str:
        return f"{self.month} {self.state}"


class LegalHold(RegulatedModel):
    """What must not be dropped whatever its age, until the hold is released."""

    class Scope(models.TextChoices):
        ALL = "all", "Everything"
        MONTH = "month", "One month"
        STREAM = "stream", "One stream"
        KIND = "kind", "A kind, or the beginning of kinds"
        PERSON = "person", "One person's acts"

    scope = models.CharField(max_length=10, choices=Scope.choices)
    value = models.CharField(max_length=120, blank=True)  # empty for everything
    matter = models.CharField(max_length=200)  # what the hold is for
    is_active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return f"{self.scope} {self.value}".strip()


class DroppedRecord(models.Model):
    """What is kept of a record whose text was dropped: its index line but for the sequence.

    ``ledger_drop_month`` alone writes it, in the transaction that drops the text.
    """

    id = models.UUIDField(primary_key=True)
    month = models.CharField(max_length=7)
    leaf = models.BinaryField()
    transaction = TransactionIdField()
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["transaction", "id"], name="dropped_order")]

    def __str__(self) -> str:
        return f"{self.month} {self.pk}"


class Line(models.Model):
    """What is kept of every record, dropped or not: a view that only reads."""

    id = models.UUIDField(primary_key=True)
    transaction = TransactionIdField()
    leaf = models.BinaryField()
    recorded_at = models.DateTimeField()
    payload = models.TextField(null=True)  # None where the text was dropped

    class Meta:
        managed = False
        db_table = "audit_line"

    def __str__(self) -> str:
        return str(self.pk)


class ActKey(models.Model):
    """A key that a caller chose for one act, and the record it left: see ``audit.outcomes``."""

    key = models.UUIDField(primary_key=True)
    record_id = models.UUIDField()
    digest = models.CharField(max_length=64)  # of what was asked for under the key
    begun_at = models.DateTimeField(db_default=ClockTimestamp())

    def __str__(self) -> str:
        return str(self.key)
