"""Files that advice and gate rest on, held to their signed digests."""

import hashlib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from audit import api as audit
from twin_core.models import ConfigurationFile, Equipment


class NotTheSignedFile(Exception):
    """A configuration file whose bytes are not those of its record."""


@transaction.atomic
def declare(equipment: Equipment, *, kind: str, path: str, actor: Any, reason: str) -> Any:
    """Put a file's present digest in force for an asset; returns the record, to be signed."""
    digest = hashlib.sha256((settings.BASE_DIR / path).read_bytes()).hexdigest()
    row = ConfigurationFile.objects.filter(equipment=equipment, kind=kind).first()
    before = row.state_fields() if row else None
    row = row or ConfigurationFile(equipment=equipment, kind=kind)
    row.path, row.digest = path, digest
    record = audit.append(
        stream=f"equipment/{equipment.tag}",
        kind="twin_core.configuration_file.declared",
        actor=actor,
        subject=row,
        old=before,
        new=row.state_fields(),
        reason=reason,
    )
    row.save(record=record)
    return record


def load(equipment: Equipment, kind: str) -> bytes:
    """Return a file's bytes; raises NotTheSignedFile when they are not the declared ones."""
    row = ConfigurationFile.objects.filter(equipment=equipment, kind=kind).first()
    if row is None:
        raise NotTheSignedFile(f"{equipment.tag} has no {kind} in force: declare one")
    path = Path(settings.BASE_DIR) / row.path
    content = path.read_bytes() if path.exists() else b""
    if hashlib.sha256(content).hexdigest() != row.digest:
        raise NotTheSignedFile(
            f"{row.path} is not the file that was signed for {equipment.tag}: "
            "restore it, or declare and sign the new one"
        )
    return content


def refusals(equipment: Equipment) -> list[str]:
    """Return why the asset's configuration cannot be relied on; empty when it is intact."""
    found = []
    for kind in equipment.configuration.values_list("kind", flat=True).order_by("kind"):
        try:
            load(equipment, kind)
        except NotTheSignedFile as error:
            found.append(str(error))
    return found if equipment.configuration.exists() else [f"{equipment.tag} has no tag map"]
