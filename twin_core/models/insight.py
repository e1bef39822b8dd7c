"""Insight: estimates, forecasts and recommendations, each citing what it rests on."""

from django.conf import settings
from django.db import models

from audit.api import RegulatedModel
from twin_core.lifecycle.recommendation import State
from twin_core.models.batch import Batch
from twin_core.models.columns import digest, number_text, process_hours


class Estimate(RegulatedModel):
    """The twin's view of a batch at one moment of process time."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="estimates")
    model_version = models.ForeignKey(
        "models_registry.ModelVersion", on_delete=models.PROTECT, related_name="+"
    )
    at_h = process_hours()
    inputs = digest()  # SHA-256 of the canonical input document (a blob)
    content = digest()  # SHA-256 of the canonical result (a blob)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "model_version", "inputs"], name="one_estimate_an_input"
            )
        ]

    def __str__(self) -> str:
        return f"estimate at {self.at_h} h"


class Forecast(RegulatedModel):
    """Bands to the end of the batch from one estimate; one for each estimate."""

    class Status(models.TextChoices):
        OK = "ok", "Ok"
        UNDECIDED = "undecided", "Undecided"

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="forecasts")
    estimate = models.OneToOneField(Estimate, on_delete=models.PROTECT, related_name="forecast")
    issued_h = process_hours()
    status = models.CharField(max_length=20, choices=Status.choices)
    reason = models.CharField(max_length=500, blank=True)  # why undecided
    content = digest()

    def __str__(self) -> str:
        return f"forecast at {self.issued_h} h"


class Recommendation(RegulatedModel):
    """Advice to change one setpoint or to harvest, and what became of it."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="recommendations")
    forecast = models.OneToOneField(
        Forecast, on_delete=models.PROTECT, related_name="recommendation"
    )
    state = models.CharField(max_length=20, choices=[(state, state) for state in State])
    title = models.CharField(max_length=200)
    tag = models.CharField(max_length=60)  # "feed.rate", "temperature.setpoint", "harvest"
    value = number_text()
    unit = models.CharField(max_length=40)
    current_value = number_text(blank=True)
    is_writable = models.BooleanField()  # a write point of a trusted asset, or advice alone
    is_high_impact = models.BooleanField()  # two people sign
    issued_h = process_hours()
    expires_h = process_hours()
    author = models.ForeignKey(  # who approved the model version that speaks
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    content = digest()  # canonical evidence document (a blob): what the reviewer is shown

    def __str__(self) -> str:
        return self.title


class Question(RegulatedModel):
    """A reviewer's question that returns a recommendation until it is answered."""

    recommendation = models.ForeignKey(
        Recommendation, on_delete=models.PROTECT, related_name="questions"
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    question = models.TextField()
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    answer = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.question
