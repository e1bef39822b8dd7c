"""Exports that are made in the background: how far each is. What happened to them are records."""

from django.db import models

from audit.fields import ClockTimestamp, uuid7
from audit.models.people import User


class ExportJob(models.Model):
    """One export asked for by a person. Not regulated: its beginning and end are records."""

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        DELETED = "deleted", "Files deleted"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    cut = models.TextField()  # canonical JSON: all that was decided when it was asked for
    state = models.CharField(max_length=20, choices=State.choices, default=State.REQUESTED)
    step = models.CharField(max_length=40, blank=True)  # what is being written
    done = models.BigIntegerField(default=0)  # lines written, over all copies
    total = models.BigIntegerField(default=0)
    slices = models.IntegerField(default=0)  # pieces of work begun so far
    seconds = models.FloatField(default=0)  # worked so far
    asked_at = models.DateTimeField(db_default=ClockTimestamp())
    seen_at = models.DateTimeField(null=True)  # last progress
    ended_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    manifest = models.CharField(max_length=64, blank=True)  # SHA-256, hex
    file_digest = models.CharField(max_length=64, blank=True)  # SHA-256 of the one file, hex
    file_size = models.BigIntegerField(default=0)  # bytes

    class Meta:
        indexes = [models.Index(fields=["state", "id"], name="export_by_state")]

    def __str__(self) -> str:
        return f"export {self.pk}"
