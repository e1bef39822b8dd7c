"""Whether the ledger takes records now, and why not."""

from typing import Any

from django.db import models


class Standing(models.Model):
    """One row. The switch that each insert asks is the sequence ``audit_open``, set beside it.

    ``reason`` and ``since`` are told to whoever is refused; ``fork_id`` is the record by which
    two persons opened a new epoch, until the sealer has sealed it.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    is_open = models.BooleanField()
    reason = models.TextField(blank=True)
    since = models.DateTimeField()
    fork_id = models.UUIDField(null=True)

    class Meta:
        db_table = "audit_standing"

    def __str__(self) -> str:
        return "open" if self.is_open else f"closed: {self.reason}"

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("the ledger always stands somehow")
