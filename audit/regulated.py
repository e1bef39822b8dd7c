"""Regulated state rows: views of the ledger that the database holds to their records.

Each row cites the record that last changed it. A trigger (see ``audit.operations``) refuses an
INSERT or UPDATE unless that record was written in the same transaction, tells of this very row,
and its ``new`` equals the row column by column.
"""

import hashlib
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db import models

from audit.canonical import timestamp
from audit.fields import uuid7
from audit.retention.citation import Citation


class RegulatedModel(models.Model):
    """A row that can only be what its record says.

    ``digested`` names text columns whose content must not stand in the ledger (password hashes,
    encrypted secrets): their record carries ``sha256:`` and the digest of the stored text.
    """

    digested: ClassVar[tuple[str, ...]] = ()

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    record = Citation("audit.Record", editable=False, related_name="+")

    class Meta:
        abstract = True

    def state_fields(self) -> dict[str, Any]:
        """Return the row as its record tells it: every column but the key and the citation."""
        return {
            field.attname: _told(field, getattr(self, field.attname), self.digested)
            for field in self._meta.concrete_fields
            if field.attname not in {"id", "record_id"}
        }

    def subject(self) -> dict[str, str]:
        return {"type": self._meta.label_lower, "id": str(self.pk)}

    def save(self, *, record: Any = None, **options: Any) -> None:
        """Write the row as ``record`` tells it; the database refuses anything else."""
        if record is None:
            raise ValueError(f"{self._meta.label} is regulated: save(record=...) names its record")
        self.record = record
        super().save(**options)


def _told(field: Any, value: Any, digested: tuple[str, ...]) -> Any:
    if field.attname in digested and value is not None:
        return "sha256:" + hashlib.sha256(value.encode()).hexdigest()
    match value:
        case datetime():
            return timestamp(value)
        case Decimal():
            return format(round(value, field.decimal_places), "f")
        case UUID():
            return str(value)
        case bytes() | memoryview():
            return bytes(value).hex()
        case float():
            raise TypeError(f"{field.attname}: a regulated row holds no floats, use decimals")
    return value
