"""How things stand this moment: hints for the pages, not records, and never the home of a fact."""

from django.db import models

from audit.api import ClockTimestamp
from twin_core.models.plant_model import Equipment


class TagStatus(models.Model):
    """The last reading of a tag, whatever its quality. Not regulated."""

    id = models.BigAutoField(primary_key=True)
    equipment = models.ForeignKey(Equipment, on_delete=models.PROTECT, related_name="tags")
    tag = models.CharField(max_length=60)
    value = models.FloatField(null=True)
    unit = models.CharField(max_length=40)
    quality = models.CharField(max_length=20)
    source_time = models.DateTimeField()
    process_h = models.FloatField(null=True)
    received_at = models.DateTimeField(db_default=ClockTimestamp())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["equipment", "tag"], name="one_status_a_tag")
        ]

    def __str__(self) -> str:
        return f"{self.tag}: {self.quality}"


class ServiceStatus(models.Model):
    """The last sign of life of a service and what it says of itself. Not regulated."""

    name = models.CharField(max_length=60, primary_key=True)  # "connector BR-201"
    state = models.CharField(max_length=20)  # ready | waiting | fault
    detail = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(db_default=ClockTimestamp())

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"
