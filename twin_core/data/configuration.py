"""Files that advice and gate rest on, held to their signed digests.

A file is in force by one signed record that names its digest. What is on the disk and what was
signed must be the same bytes; otherwise whoever asks for the file is refused.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from audit import api as audit
from twin_core.models import ConfigurationFile, Equipment

SIGNED = "twin_core.configuration.signed"
SIGNING_ROLES = (audit.Role.QA_REVIEWER, audit.Role.QA_APPROVER)


class NotTheSignedFile(Exception):
    """A configuration file whose bytes are not those of its signed record."""


def view(equipment: Equipment, files: Mapping[str, str]) -> dict[str, Any]:
    """Return what a person is shown, and signs, for files (kind -> path below the installation)."""
    held = {row.kind: row.digest for row in equipment.configuration.all()}
    return {
        "act": "put configuration in force",
        "equipment": equipment.tag,
        "files": [
            {
                "kind": str(kind),
                "path": path,
                "digest": _digest(_content(path)),
                "before": held.get(kind),
            }
            for kind, path in sorted(files.items())
        ],
    }


@transaction.atomic
def put_in_force(
    equipment: Equipment,
    files: Mapping[str, str],
    *,
    signer: Any,
    proof: Any,
    reason: str,
    shown: str,
    prepared_by: Any = None,
) -> Any:
    """Put the present bytes of files in force for an asset by one signature; return the record.

    ``prepared_by`` made the files and may not sign them. Raises audit.ViewChanged when a file is
    not any more what the signer was shown, audit.NotEntitled and audit.SignatureRefused.
    """
    document = view(equipment, files)
    audit.require_view(document, shown)
    changes = [_change(equipment, told) for told in document["files"]]
    record = audit.append(
        stream=f"equipment/{equipment.tag}",
        kind=SIGNED,
        actor=signer,
        changes=changes,
        reason=reason,
        data={"prepared_by": prepared_by.printed_name if prepared_by else None},
    )
    audit.sign(
        record,
        signer=signer,
        proof=proof,
        meaning="approval",
        reason=reason,
        view=document,
        roles=SIGNING_ROLES,
        authors=[prepared_by],
    )
    for row, _, _ in changes:
        row.save(record=record)
    return record


def _change(equipment: Equipment, told: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Return (row in its next state, fields before, fields after)."""
    rows = ConfigurationFile.objects.select_for_update()
    row = rows.filter(equipment=equipment, kind=told["kind"]).first()
    before = row.state_fields() if row else None
    row = row or ConfigurationFile(equipment=equipment, kind=told["kind"])
    row.path, row.digest = told["path"], told["digest"]
    return row, before, row.state_fields()


def load(equipment: Equipment, kind: str) -> bytes:
    """Return a file's bytes; raises NotTheSignedFile when they are not the signed ones."""
    row = (
        ConfigurationFile.objects.filter(equipment=equipment, kind=kind)
        .select_related("record")
        .first()
    )
    if row is None:
        raise NotTheSignedFile(f"{equipment.tag} has no {kind} in force: sign one")
    content = _content(row.path)
    if _digest(content) != row.digest:
        raise NotTheSignedFile(
            f"{row.path} is not the file that was signed for {equipment.tag}: "
            "restore it, or sign the new one"
        )
    if not any(made.is_valid for made in audit.signatures_of(row.record)):
        raise NotTheSignedFile(f"{row.path} stands for {equipment.tag} without a valid signature")
    return content


def _content(path: str) -> bytes:
    """Return a file's bytes; a file that is not there has none, which fits no digest."""
    place = Path(settings.BASE_DIR) / path
    return place.read_bytes() if place.is_file() else b""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def refusals(equipment: Equipment) -> list[str]:
    """Return why the asset's configuration cannot be relied on; empty when it is intact."""
    found = []
    for kind in equipment.configuration.values_list("kind", flat=True).order_by("kind"):
        try:
            load(equipment, kind)
        except NotTheSignedFile as error:
            found.append(str(error))
    return found if equipment.configuration.exists() else [f"{equipment.tag} has no tag map"]
