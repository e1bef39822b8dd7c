"""Data up: the journal's unsealed tail, sealed segments, laboratory results, quarantine."""

from django.db import models

from audit.api import Citation, Record, RegulatedModel, uuid7
from twin_core.models.batch import Batch
from twin_core.models.columns import digest, number_text, process_hours
from twin_core.models.plant_model import Equipment


class JournalSample(models.Model):
    """A harmonised on-line sample until its segment is sealed; not regulated, at most 60 s old."""

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+")
    tag = models.CharField(max_length=60)
    source_time = models.DateTimeField()  # wall clock of the source
    process_h = process_hours()
    value = models.FloatField()  # SI or the template's unit, see ``unit``
    unit = models.CharField(max_length=40)
    raw_value = models.FloatField()
    raw_unit = models.CharField(max_length=40)
    quality = models.CharField(max_length=20)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "tag", "source_time"], name="one_journal_sample_a_moment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tag} {self.source_time}"


class DataSegment(models.Model):
    """Samples of one tag over a stretch of time, packed once and never rewritten."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    record = Citation(Record, related_name="+")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="segments")
    tag = models.CharField(max_length=60)
    unit = models.CharField(max_length=40)
    from_h = process_hours()
    to_h = process_hours()
    count = models.IntegerField()
    content = models.BinaryField()  # see twin_core.data.segments
    digest = digest()  # SHA-256 of the unpacked content; stands in the record

    def __str__(self) -> str:
        return f"{self.tag} {self.from_h}-{self.to_h} h"


class LabResult(RegulatedModel):
    """A laboratory value with its two process times; a correction is a new row."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="lab_results")
    tag = models.CharField(max_length=60)
    value = number_text()
    unit = models.CharField(max_length=40)
    sampled_h = process_hours()
    received_h = process_hours()
    corrects = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="corrected_by"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "tag", "sampled_h"],
                condition=models.Q(corrects__isnull=True),
                name="one_first_result_a_sample",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tag} {self.value} {self.unit} at {self.sampled_h} h"


class QuarantinedSample(RegulatedModel):
    """What came in and may not be used: kept with its reason, released only by a new record."""

    equipment = models.ForeignKey(Equipment, on_delete=models.PROTECT, related_name="quarantine")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, null=True, related_name="quarantine")
    tag = models.CharField(max_length=120)
    reason = models.CharField(max_length=300)
    content = models.TextField()  # canonical JSON: the sample exactly as received
    first_at = models.DateTimeField()
    count = models.IntegerField()  # identical findings on one tag in one flush are one row
    released = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.tag}: {self.reason}"
