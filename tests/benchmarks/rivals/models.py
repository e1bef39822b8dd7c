"""The same order six times: not audited, audited by each rival, and regulated by us."""

from typing import Any

import pghistory
from auditlog.registry import auditlog
from django.db import models
from simple_history.models import HistoricalRecords

from audit.api import RegulatedModel


class Order(models.Model):
    """What is changed: a recommended set point with its state."""

    code = models.CharField(max_length=40)
    state = models.CharField(max_length=40)
    target = models.DecimalField(max_digits=12, decimal_places=4)
    unit = models.CharField(max_length=12)
    reason = models.TextField()
    decided_at = models.DateTimeField()
    detail = models.JSONField()

    class Meta:
        abstract = True


class PlainOrder(Order):
    pass


class AuditlogOrder(Order):
    pass


auditlog.register(AuditlogOrder)


class SimpleHistoryOrder(Order):
    history: Any = HistoricalRecords()


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class PghistoryOrder(Order):
    pass


class RegulatedOrder(RegulatedModel, Order):
    pass
