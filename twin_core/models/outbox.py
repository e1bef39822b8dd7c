"""Work that a committed act has asked for. Redis is a hint, this table is the truth."""

from django.db import models

from audit.api import ClockTimestamp


class OutboxTask(models.Model):
    """One piece of work; delivered at least once, its effect applied once. Not regulated."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        LEASED = "leased", "Leased"
        DONE = "done", "Done"
        PARKED = "parked", "Parked"  # failed too often: kept with its input for a person

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(max_length=200, unique=True)  # same work, same key
    name = models.CharField(max_length=60)  # "estimate", "forecast", "recommend", "write"
    content = models.JSONField(default=dict)  # identifiers only
    state = models.CharField(max_length=20, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField(db_default=ClockTimestamp())
    lease_until = models.DateTimeField(null=True)
    token = models.BigIntegerField(default=0)  # rises with each lease: an old holder is fenced off
    attempts = models.IntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["state", "name", "id"], name="outbox_waiting")]

    def __str__(self) -> str:
        return f"{self.name} {self.key}"
