"""Tables of the twin. Regulated rows are held to their records by the database."""

from twin_core.models.batch import Batch
from twin_core.models.data import DataSegment, JournalSample, LabResult, QuarantinedSample
from twin_core.models.insight import Estimate, Forecast, Question, Recommendation
from twin_core.models.outbox import OutboxTask
from twin_core.models.plant_model import ConfigurationFile, Equipment
from twin_core.models.status import ServiceStatus, TagStatus
from twin_core.models.write_back import SetpointWrite

__all__ = [
    "Batch",
    "ConfigurationFile",
    "DataSegment",
    "Equipment",
    "Estimate",
    "Forecast",
    "JournalSample",
    "LabResult",
    "OutboxTask",
    "QuarantinedSample",
    "Question",
    "Recommendation",
    "ServiceStatus",
    "SetpointWrite",
    "TagStatus",
]
