"""Acts to be found again, of several people, kinds, streams and subjects."""

from typing import Any

from django.db import transaction

from audit import api as audit
from audit.actors import Actor
from audit.desk import search
from audit.desk.scope import EVERYTHING, Scope
from audit.models import Record
from audit.trail import Filters

ANNA = Actor("person", "0190a000-0000-7000-8000-0000000000a1", "Anna Müller")
BEN = Actor("process", "gate", "gate")
PUMP = "0190a000-0000-7000-8000-0000000000b1"


def act(number: int, **more: Any) -> Record:
    """Write the ``number``-th act; what it tells follows from the number."""
    facts: dict[str, Any] = {
        "stream": f"batch/B-{number % 3}",
        "kind": "tests.feed.changed" if number % 2 else "tests.probe.taken",
        "actor": ANNA if number % 2 else BEN,
        "subject": {"type": "tests.pump", "id": PUMP if number % 4 == 1 else str(number)},
        "old": {"rate": number - 1},
        "new": {"rate": number, "place": "Größe 50%_voll" if number % 5 == 0 else "north"},
        "reason": "Zu wenig GLUCOSE" if number % 3 == 0 else None,
        "data": {"title": f"Probe {number:03d}"},
        **more,
    }
    with transaction.atomic():
        return audit.append(**facts)


def found(scope: Scope = EVERYTHING, size: int = 100, **filters: Any) -> list[str]:
    """Return the titles of what a search finds, newest first."""
    page = search.Search(Filters(**filters), scope=scope).page(size)
    records = Record.objects.in_bulk([hit.record_id for hit in page.hits])
    told = (audit.content(records[hit.record_id]) for hit in page.hits)
    return [str((content["data"] or {}).get("title", content["kind"])) for content in told]
