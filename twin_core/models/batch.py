"""Batches (ISA-88) as the twin follows them."""

from django.db import models

from audit.api import RegulatedModel
from twin_core.lifecycle.batch import State
from twin_core.models.plant_model import Equipment


class Batch(RegulatedModel):
    """One batch on one unit, from inoculation to harvest."""

    number = models.CharField(max_length=60, unique=True)  # "BR-201-0001"
    equipment = models.ForeignKey(Equipment, on_delete=models.PROTECT, related_name="batches")
    state = models.CharField(max_length=20, choices=[(state, state) for state in State])
    plant_batch = models.CharField(max_length=120)  # what the plant calls it
    started_at = models.DateTimeField()  # wall clock, when process time was 0
    closed_at = models.DateTimeField(null=True)
    attributes = models.TextField()  # canonical JSON: scale, start volume, feed composition
    is_simulated = models.BooleanField()  # a virtual plant: every page says so

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["equipment"],
                condition=models.Q(state=State.RUNNING),
                name="one_running_batch_a_unit",
            )
        ]

    def __str__(self) -> str:
        return self.number
