"""How the installation stands: one tile for each thing that keeps record, twin and plant going."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Min
from django.urls import reverse
from django.utils import timezone

from audit import api as audit
from twin_core.data import rights
from twin_core.models import Equipment, OutboxTask, ServiceStatus
from twin_core.web import status
from twin_core.web.pages import HealthPage, HealthTile, ParkedRow
from twin_core.web.templatetags.desk import span
from twin_core.web.words import sentence

LATE = 1.0  # seconds of seal lag that raise an alarm
QUIET = 30.0  # seconds without a sign of life
SLOW = 30.0  # seconds that work waits before it is late
CLOCK_ALARM = 1.0  # seconds between the two clocks
DISK_LOW, DISK_FULL = 0.15, 0.05  # of the disk free
GIB = 1024**3
STATES = {"ready": "running", "waiting": "late", "fault": "failed"}
MOST_PARKED = 50


def health_page(person: Any) -> HealthPage:
    """Return the page; asking changes nothing but the reading of clocks."""
    report = status.read_report()
    return HealthPage(
        tiles=[*tiles(report)],
        checked_at=timezone.now(),
        processes=report.processes,
        refresh_href=reverse("web:health"),
        parked=list(parked_rows(may=rights.may(person, "retry parked work"))),
    )


def tiles(report: status.Report) -> Iterator[HealthTile]:
    now = timezone.now()
    yield sealer(now)
    yield checkpoint(now)
    yield guards(now)
    yield outside()
    yield worker(now)
    yield from connectors(now)
    yield gate(report)
    yield disk()
    yield clock()
    yield supervisor(report)


def sealer(now: datetime) -> HealthTile:
    if not (standing := audit.standing.current()).is_open:
        words = f"No record is taken: {standing.reason}. Two persons open a new epoch."
        return HealthTile("Sealer", "failed", "ledger closed", words, since=standing.since)
    found = audit.unsealed()
    lag = (now - found.since).total_seconds() if found.since else 0.0
    late = lag > LATE
    return HealthTile(
        name="Sealer",
        state="late" if late else "running",
        value=f"{max(lag, 0.0):.1f} s",
        words="Records wait too long for their place. Look whether the sealer runs and which "
        "session keeps a transaction open."
        if late
        else "How long the oldest record has waited for its place in the ledger.",
        facts=[("Records not sealed", str(found.waiting))],
    )


def checkpoint(now: datetime) -> HealthTile:
    head = audit.head()
    if head is None or head.checkpoint_at is None:
        return HealthTile("Checkpoint", "late", "none yet", "The sealer signs one each second.")
    age = (now - head.checkpoint_at).total_seconds()
    waits = audit.unsealed()
    late = waits.since is not None and (now - waits.since).total_seconds() > 5 * LATE
    return HealthTile(
        name="Checkpoint",
        state="late" if late else "running",
        value=f"{span(age)} old",
        words="Records are waiting and no checkpoint covers them: look at the sealer."
        if late
        else "Signed each second in which records come; kept outside the database too.",
        facts=[("Ledger head", f"No. {head.sequence}")],
    )


def guards(now: datetime) -> HealthTile:
    """Return how triggers, grants and functions stand against what is on record."""
    found = audit.guards.standing(now)
    said = ServiceStatus.objects.filter(name="watch").first()
    silent = said is None or (now - said.at).total_seconds() > QUIET + settings.WATCH_EVERY_S
    state = "failed" if found.state == "changed" else "late" if found.is_alarm else "running"
    words = sentence(str(found))
    if said is not None and said.state == "fault":
        state, words = "failed", sentence(said.detail)
    elif silent and state == "running":
        state, words = "late", "Nobody looks at the guards now: look whether the watch runs."
    return HealthTile(
        name="Guards",
        state=state,
        value={"intact": "as recorded"}.get(found.state, found.state),
        words=words,
        since=found.since,
        facts=[("Last look", f"{span((now - said.at).total_seconds())} ago" if said else "never")],
    )


def outside() -> HealthTile:
    """Return how the evidence outside stands: witnesses, stores, time authority."""
    found = audit.outside_standing()
    words = "Checkpoints are confirmed by witnesses outside this installation."
    if not found.quorum:
        words = "No witness is configured: who owns this machine could rewrite its past."
    return HealthTile(
        name="Evidence outside",
        state=found.state,
        value=f"{found.met} of {found.quorum} witnesses" if found.quorum else "not configured",
        words=" ".join(sentence(trouble) for trouble in found.troubles) or words,
        facts=found.facts(),
    )


def worker(now: datetime) -> HealthTile:
    """Return how work of the outbox stands: what waits, how long, and what is parked."""
    told: dict[str, Any] = {
        row["state"]: row
        for row in OutboxTask.objects.values("state").annotate(
            count=Count("id"), since=Min("created_at")
        )
    }
    states = OutboxTask.State
    count = {state: told.get(state, {}).get("count", 0) for state in states.values}
    since = told.get(states.WAITING, {}).get("since")
    age = (now - since).total_seconds() if since else 0.0
    parked = count[states.PARKED]
    state = "failed" if parked else "late" if age > SLOW else "running"
    return HealthTile(
        name="Worker and relay",
        state=state,
        value=f"{count[states.WAITING]} waiting",
        words="Work failed five times and is parked below with its input."
        if parked
        else "Work waits too long: look at worker, relay and queue."
        if age > SLOW
        else "Estimates, forecasts and advice follow at once.",
        facts=[
            ("Oldest waiting", span(age) if since else "none"),
            ("In hand", str(count[states.LEASED])),
            ("Parked", str(parked)),
        ],
    )


def connectors(now: datetime) -> Iterator[HealthTile]:
    """Yield one tile for each asset: whether its plant is linked."""
    said = {row.name: row for row in ServiceStatus.objects.all()}
    for equipment in Equipment.objects.order_by("tag"):
        row = said.get(f"connector {equipment.tag}")
        name = f"Connector {equipment.tag}"
        if row is None:
            words = "It has never reported. Readings of this unit do not arrive."
            yield HealthTile(name, "stopped", "silent", words)
            continue
        age = (now - row.at).total_seconds()
        state = "late" if age > QUIET else STATES.get(row.state, "late")
        words = sentence(row.detail) if row.detail else "Linked to the plant by OPC UA."
        yield HealthTile(
            name=name,
            state=state,
            value="linked" if state == "running" else "no news" if age > QUIET else row.state,
            words=words,
            since=row.at,
            facts=[("Trust", equipment.trust.replace("_", " "))],
        )


def gate(report: status.Report) -> HealthTile:
    """Return whether the gate runs and what it has in hand."""
    process = next((one for one in report.processes if one.name == "gate"), None)
    orders = OutboxTask.objects.filter(name="write").exclude(state=OutboxTask.State.DONE).count()
    is_on = settings.WRITE_BACK_ENABLED
    return HealthTile(
        name="Write gate",
        state=process.state if process else "stopped",
        value="on" if is_on else "switched off",
        words="Carries out signed orders and nothing else."
        if is_on
        else "TWIN_WRITE_BACK_ENABLED is off: signed orders are refused, nothing is written.",
        since=process.since if process else None,
        facts=[("Orders in hand", str(orders))],
    )


def disk() -> HealthTile:
    usage = shutil.disk_usage(settings.DATA_DIR)
    share = usage.free / usage.total
    state = "failed" if share < DISK_FULL else "late" if share < DISK_LOW else "running"
    return HealthTile(
        name="Disk",
        state=state,
        value=f"{100 * share:.0f} % free",
        words="Make room now: without it records are refused, and with them every act."
        if state != "running"
        else "Where records and checkpoints are kept.",
        facts=[("Free", f"{usage.free / GIB:.1f} of {usage.total / GIB:.0f} GiB")],
    )


def clock() -> HealthTile:
    """Return how far the database's clock is from this machine's: the time on records is its."""
    before = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        theirs = cursor.fetchone()[0]
    ours = before + (timezone.now() - before) / 2
    offset = (theirs - ours) / timedelta(milliseconds=1)
    off = abs(offset) > 1000 * CLOCK_ALARM
    return HealthTile(
        name="Clock",
        state="late" if off else "running",
        value=f"{offset:+.1f} ms",
        words="The clocks of database and machine differ: set both by the site's time server."
        if off
        else "Between the database, whose time stands on records, and this machine.",
    )


def supervisor(report: status.Report) -> HealthTile:
    if not report.processes:
        words = report.problem or "This installation is not run by the supervisor."
        return HealthTile("Supervisor", "stopped", "no report", words)
    troubled = ", ".join(process.name for process in report.troubled)
    if not report.is_watched:
        words = "It has ended: a service that stops now does not come back by itself."
        return HealthTile("Supervisor", "failed", "ended", words)
    return HealthTile(
        name="Supervisor",
        state="late" if troubled else "running",
        value=f"{len(report.processes)} processes",
        words=f"Not running: {troubled}." if troubled else "Starts again what has ended.",
    )


def parked_rows(*, may: bool) -> Iterator[ParkedRow]:
    """Yield work that failed too often, with its input; who may retry gets the address for it."""
    parked = OutboxTask.objects.filter(state=OutboxTask.State.PARKED).order_by("id")
    for task in parked[:MOST_PARKED]:
        yield ParkedRow(
            key=task.key,
            name=task.name,
            content=", ".join(f"{key} {value}" for key, value in sorted(task.content.items())),
            error=task.error,
            since=task.created_at,
            attempts=task.attempts,
            retry_href=reverse("web:retry", args=[task.pk]) if may else "",
        )
