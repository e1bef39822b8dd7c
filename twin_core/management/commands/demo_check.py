"""The demonstration without a browser: run the loop, count what came of it, say so in one line.

Scripted reviewers sign over HTTP as people do, until a change on BR-201 was written and read back
and a harvest of BR-101 was signed. Its pace is configuration: see ``supervisor/demonstration.py``.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection

from audit.api import Record, Signature
from twin_core.insight.advice import HARVEST
from twin_core.lifecycle import recommendation, setpoint_write
from twin_core.models import Forecast, Recommendation, SetpointWrite
from twin_core.supervisor import demonstration, people
from twin_core.supervisor.folder import DataFolder
from twin_core.supervisor.reviewers import InterfaceFailed, Reviewers
from twin_core.supervisor.roster import CHECKOUT
from twin_core.supervisor.site import Site, standing

LOOP_WITHIN = 270.0  # seconds for the loop to close, unless TWIN_DEMO_CHECK_S says else
LOOK = 1.0  # seconds between two passes of the reviewers
SEAL_WITHIN = 10.0  # seconds for the sealer to catch up at the end


def command_output(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a management command on the site, as a person with its env file would."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TWIN_")}
    return subprocess.run(
        [sys.executable, str(CHECKOUT / "manage.py"), *arguments],
        env={**environment, **site.services.variables()},
        capture_output=True,
        text=True,
        check=False,
    )


def ledger_report(site: Site) -> dict[str, Any]:
    """Return what ``verify_ledger --json`` says, or a report that is not sound."""
    lines = command_output(site, "verify_ledger", "--json").stdout.splitlines()
    report: dict[str, Any] = json.loads(lines[-1]) if lines else {"ok": False}
    return report


def is_ledger_ok(site: Site, out: Path) -> bool:
    return bool(ledger_report(site)["ok"])


def sealed(site: Site, out: Path) -> int:
    """Return the number of records in verified blocks, waiting shortly for the sealer."""
    deadline = time.monotonic() + SEAL_WITHIN
    while True:
        report = ledger_report(site)
        if not report.get("unsealed") or time.monotonic() > deadline:
            return int(report.get("records", 0))
        time.sleep(0.2)


def is_export_ok(site: Site, out: Path) -> bool:
    """Export the whole ledger and check the bundle with the one-file verifier."""
    if "export_ledger" not in get_commands():
        return False
    if command_output(site, "export_ledger", "--out", str(out)).returncode:
        return False
    trust = site.services.folder.keys / "ledger.pub"
    checked = subprocess.run(
        [sys.executable, str(CHECKOUT / "audit" / "verifier.py"), str(out), "--trust", str(trust)],
        capture_output=True,
        check=False,
    )
    return checked.returncode == 0


def confirmed() -> int:
    return SetpointWrite.objects.filter(state=setpoint_write.State.CONFIRMED).count()


def is_loop_closed() -> bool:
    """Return whether a write came back as written, and advice to harvest was signed."""
    signed = Recommendation.objects.filter(
        tag=HARVEST, state=recommendation.State.APPROVED, is_writable=False
    )
    return confirmed() > 0 and signed.exists()


def run_loop(site: Site, say: Callable[[str], None]) -> None:
    """Let the reviewers work until the loop is closed or time is over; the site is watched."""
    everybody = people.load(site.services.folder.path)
    reviewers = Reviewers(site.address, everybody, say)
    deadline = time.monotonic() + float(os.environ.get("TWIN_DEMO_CHECK_S", LOOP_WITHIN))
    look_at = 0.0
    while not site.supervisor.stopping and time.monotonic() < deadline:
        site.supervisor.tick()
        if time.monotonic() < look_at:
            continue
        look_at = time.monotonic() + LOOK
        try:
            if is_loop_closed():
                break
            reviewers.act()
        except (InterfaceFailed, httpx.TransportError, OperationalError) as error:
            say(f"trying again: {error}")  # a service is away for a moment
            connection.close()
    reviewers.close()


# In the order of the line.
COUNTS: dict[str, Callable[[Site, Path], int | bool]] = {
    "records": lambda site, out: Record.objects.count(),
    "sealed": sealed,
    "forecasts": lambda site, out: Forecast.objects.count(),
    "recommendations": lambda site, out: Recommendation.objects.count(),
    "signatures": lambda site, out: Signature.objects.count(),
    "writes_confirmed": lambda site, out: confirmed(),
    "ledger_ok": is_ledger_ok,
    "export_ok": is_export_ok,
}


class Command(BaseCommand):
    help = "Run the demonstration headless and print one JSON line; exit 1 unless all is met."
    requires_system_checks: list[str] = []  # the database is not up yet

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="keep the data folder here")
        parser.add_argument("--discard", action="store_true", help="remove the data folder after")
        parser.add_argument("--export", type=Path, help="leave the exported bundle here")

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        folder = DataFolder(options["data"].absolute())
        try:
            with standing(folder, say=self.stderr.write) as site:
                demonstration.begin(site)
                run_loop(site, self.stderr.write)
                out = options["export"] or folder.path / "export"
                counts = {name: count(site, out) for name, count in COUNTS.items()}
                connection.close()
        except (RuntimeError, ValueError) as error:
            raise CommandError(str(error)) from error
        finally:
            if options["discard"]:
                shutil.rmtree(folder.services, ignore_errors=True)
                shutil.rmtree(folder.path, ignore_errors=True)
        counts["seconds"] = round(time.monotonic() - began)
        self.stdout.write(json.dumps(counts))
        if not all(counts[name] for name in COUNTS):
            sys.exit(1)
