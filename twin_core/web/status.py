"""What the supervisor says about its processes, as a banner that each page asks for.

The view reads one small file. It lies below ``/live/``, so that asking extends no session. While
the database is away the middleware answers in its place, and the page says so by itself.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

CALM = {"ready", "running"}
WORDS = {
    "postgres": "The database",
    "valkey": "The queue",
    "web": "The web server",
    "worker": "The worker",
    "sealer": "The sealer",
    "connector": "The connector",
    "gate": "The write gate",
    "watch": "The watch on the guards",
    "indexer": "The indexer",
}
MEANING = {
    "postgres": "Pages and signing wait until it is back; nothing that was confirmed is lost.",
    "valkey": "New estimates and forecasts are late; they follow from the outbox.",
    "worker": "New estimates and forecasts are late; they follow from the outbox.",
    "sealer": "Records are kept but not yet sealed; acts that need a position wait.",
    "connector": "No new plant data arrives; readings shown age and are marked stale.",
    "gate": "Nothing is written to the plant meanwhile.",
    "web": "No page answers; data, estimates and forecasts go on.",
    "relay": "New work reaches the worker late; none is lost.",
    "watch": "A change of triggers, grants or functions would be noticed late.",
    "indexer": "Searching the trail is slower; nothing is missing from it.",
    "tracking": "The copy in the tracking store is late; the registry is not touched.",
}


@dataclass(frozen=True)
class ProcessState:
    """One supervised process. ``since`` is wall-clock time of the last change of state."""

    name: str
    state: str
    since: datetime | None
    restarts: int

    @property
    def is_calm(self) -> bool:
        return self.state in CALM

    @property
    def title(self) -> str:
        return WORDS.get(self.name, f"The process {self.name}")

    @property
    def meaning(self) -> str:
        return MEANING.get(self.name, "")


@dataclass(frozen=True)
class Report:
    """The supervisor's last report; ``problem`` says in words why it cannot be read."""

    processes: tuple[ProcessState, ...] = ()
    is_watched: bool = True  # the supervisor that wrote the report is still there
    problem: str = ""

    @property
    def troubled(self) -> list[ProcessState]:
        return [process for process in self.processes if not process.is_calm]


def moment_of(value: Any) -> datetime | None:
    """Return an aware time from ISO 8601 text or seconds since 1970; None stays None."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, tz=UTC)
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def process_of(row: dict[str, Any]) -> ProcessState:
    return ProcessState(
        name=str(row["name"]),
        state=str(row["state"]),
        since=moment_of(row.get("since")),
        restarts=int(row.get("restarts", 0)),
    )


def is_alive(supervisor: dict[str, Any]) -> bool:
    """Whether the process that ``pid`` and ``created`` name lives; one that is not named may."""
    if not supervisor.get("pid"):
        return True
    try:
        return psutil.Process(supervisor["pid"]).create_time() == supervisor["created"]
    except psutil.NoSuchProcess:
        return False


def read_report(path: Path | None = None) -> Report:
    """Return the supervisor's report from ``status.json``; an absent file is an empty report.

    A site that runs its services without the supervisor has no such file. One that cannot be
    read is reported as a problem, never passed over.
    """
    path = path or Path(settings.DATA_DIR) / "status.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        processes = tuple(process_of(row) for row in content["processes"])
        return Report(processes, is_watched=is_alive(content.get("supervisor") or {}))
    except FileNotFoundError:
        return Report()
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Report(problem=f"The status report of the services cannot be read ({error}).")


@login_not_required
@never_cache
@require_GET
def banner(request: HttpRequest) -> HttpResponse:
    """Answer the banner's content: empty while all is well."""
    report = read_report()
    return HttpResponse(render_to_string("web/_status.html", {"report": report}))
