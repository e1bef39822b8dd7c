"""Foreign keys to records that outlive the record they cite.

A row cites a record by its key. The record's text may be dropped after its time; the row stays,
and what the ledger keeps of the record (key, leaf, transaction, time) stands in for it. So the
database holds no constraint here: the trigger of the citing table checks the record when the row
is written, and no record goes but by ``ledger_drop_month``.
"""

from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.fields.related_descriptors import (
    ForwardManyToOneDescriptor,
    ForwardOneToOneDescriptor,
)

IN_ARCHIVE = "archive/"  # stream of a record of which only its line is kept: archive/2026-01


class RecordDropped(LookupError):
    """A record's text was dropped after its time; the message says which archive has it."""


def is_dropped(record: Any) -> bool:
    """Return whether ``record`` is what is kept of a dropped one."""
    return record.stream.startswith(IN_ARCHIVE) and not record.payload


def stand_in(key: Any) -> Any | None:
    """Return what is kept of a dropped record, as a record without text; None if it never was."""
    line = apps.get_model("audit", "DroppedRecord").objects.filter(pk=key).first()
    if line is None:
        return None
    record = apps.get_model("audit", "Record")(
        id=line.pk, stream=f"{IN_ARCHIVE}{line.month}", kind="audit.record.dropped", payload=""
    )
    record.leaf, record.transaction = bytes(line.leaf), line.transaction
    record.recorded_at = line.recorded_at
    record._state.adding = False
    return record


class _Standing:
    """Mixed into Django's descriptors: gives the cited record, or what is kept of it."""

    field: Any

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is None:
            return self
        missing = self.field.remote_field.model.DoesNotExist
        try:
            found = super().__get__(instance, cls)  # type: ignore[misc]
        except missing:
            found = None
        key = getattr(instance, self.field.attname)
        if found is None and key is not None:
            found = stand_in(key)
            if found is None:
                raise missing(f"record {key} does not exist")
            self.field.set_cached_value(instance, found)
        return found


class CitationDescriptor(_Standing, ForwardManyToOneDescriptor):
    pass


class SingleCitationDescriptor(_Standing, ForwardOneToOneDescriptor):
    pass


class Citation(models.ForeignKey):
    """A key of a record: NOT NULL in the database, with no constraint and an outer join."""

    forward_related_accessor_class = CitationDescriptor

    def __init__(self, to: Any, on_delete: Any = models.PROTECT, **options: Any) -> None:
        super().__init__(to, on_delete, **{**options, "db_constraint": False})
        self.null = True  # for Django's joins alone: a row is found though its record is dropped

    def deconstruct(self) -> Any:
        """Return a plain foreign key that is never NULL: so it stands in migrations."""
        return _as_migrated(super().deconstruct(), "ForeignKey")


class SingleCitation(models.OneToOneField):
    """A key of a record that one row alone may cite."""

    forward_related_accessor_class = SingleCitationDescriptor

    def __init__(self, to: Any, on_delete: Any = models.PROTECT, **options: Any) -> None:
        super().__init__(to, on_delete, **{**options, "db_constraint": False})
        self.null = True

    def deconstruct(self) -> Any:
        return _as_migrated(super().deconstruct(), "OneToOneField")


def _as_migrated(parts: Any, kind: str) -> Any:
    name, _, arguments, options = parts
    return name, f"django.db.models.{kind}", arguments, _without_null(options)


def _without_null(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "null"}
