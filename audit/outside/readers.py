"""Who reads records through the tiles: an auditor with a session, or the holder of a token.

The site's file of tokens has lines ``<name> <SHA-256 of the token, hex>``: it holds no secret.
"""

import hashlib
import hmac
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from audit import actors, identity, ledger, trail
from audit.models import Record, Role

READ = "audit.entries.read"
ONE_LOOK = timedelta(minutes=1)


def reader_of(request: HttpRequest) -> Any | None:
    """Return who may read records: a token's holder, or a signed-in auditor; None for nobody.

    Raises NotEntitled for a person who is signed in and no auditor.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        name = holder_of(token, settings.LEDGER_READERS_FILE)
        return actors.Actor("process", f"reader {name}", name) if name else None
    user: Any = request.user
    if not user.is_authenticated:
        return None
    identity.require_role(user, Role.AUDITOR, to="read the records of the ledger's tiles")
    return user


def holder_of(token: str, path: Path | None) -> str | None:
    """Return whose token it is; None when it is nobody's, or the site gave none out."""
    if path is None or not path.exists():
        return None
    digest, found = hashlib.sha256(token.encode()).hexdigest(), None
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, expected = line.rpartition(" ")
        if name and hmac.compare_digest(expected.encode(), digest.encode()):
            found = name
    return found


def note_reading(reader: Any, *, start: int, stop: int) -> None:
    """Record the reading, once a minute for each reader."""
    actor = actors.actor_of(reader)
    recent = Record.objects.filter(
        stream=trail.STREAM, kind=READ, recorded_at__gte=timezone.now() - ONE_LOOK
    )
    if any(ledger.content(record)["actor"]["id"] == actor.id for record in recent):
        return
    with transaction.atomic():
        ledger.append(
            stream=trail.STREAM, kind=READ, actor=actor, data={"from": start, "below": stop}
        )
