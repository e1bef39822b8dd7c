"""What the write gate did with an approved recommendation."""

from django.db import models

from audit.api import RegulatedModel
from twin_core.lifecycle.setpoint_write import State
from twin_core.models.columns import number_text, process_hours
from twin_core.models.insight import Recommendation


class SetpointWrite(RegulatedModel):
    """The one attempt to bring an approved value to the plant."""

    recommendation = models.OneToOneField(
        Recommendation, on_delete=models.PROTECT, related_name="write"
    )
    state = models.CharField(max_length=20, choices=[(state, state) for state in State])
    tag = models.CharField(max_length=60)
    value = number_text()
    unit = models.CharField(max_length=40)
    sent_h = process_hours()  # process time when it was about to leave; 0 when it never left
    read_back = number_text(blank=True)
    reason = models.CharField(max_length=500, blank=True)
    token = models.BigIntegerField()  # fencing token of the lease under which it acts

    def __str__(self) -> str:
        return f"{self.tag} = {self.value} {self.unit}"
