"""The demonstration without a browser: run the loop, count what came of it, say so in one line."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from audit.api import Record, Signature
from twin_core.supervisor.folder import DataFolder
from twin_core.supervisor.roster import CHECKOUT
from twin_core.supervisor.site import Site, standing

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


def nothing_yet(site: Site, out: Path) -> int:
    """No part of the product makes these; what is not there is counted as none."""
    return 0


# In the order of the line. Each part of the product puts its own count here.
COUNTS: dict[str, Callable[[Site, Path], int | bool]] = {
    "records": lambda site, out: Record.objects.count(),
    "sealed": sealed,
    "forecasts": nothing_yet,
    "recommendations": nothing_yet,
    "signatures": lambda site, out: Signature.objects.count(),
    "writes_confirmed": nothing_yet,
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
