"""Verify a backup by restoring it into a temporary folder."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from audit import api as audit
from audit.outside import Outside
from audit.recovery import archive
from twin_core.supervisor.backup.restoring import Opening
from twin_core.supervisor.backup.store import Store
from twin_core.supervisor.backup.verifying import Report, Trust, verify_backup
from twin_core.supervisor.services import MLFLOW_DATABASE


class Command(BaseCommand):
    help = (
        "Restore the newest backup of DIR into a temporary folder, start it, recompute its ledger "
        "against the outside checkpoints, look for dangling references; the result is recorded."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("store", type=Path, metavar="DIR", help="the backup folder")
        parser.add_argument("--base", help="one base backup by its name; default: the newest")
        parser.add_argument("--identity", type=Path, required=True, help="identity of the backup")
        parser.add_argument("--keys", type=Path, help="also try the escrowed keys")
        parser.add_argument("--keys-identity", type=Path, help="of the escrow; default: --identity")

    def handle(self, **options: Any) -> None:
        store = Store(options["store"])
        opening = Opening(options["identity"], options["keys"], options["keys_identity"])
        trust = Trust(
            settings.LEDGER_PUBLIC_KEY_FILE,
            Outside(settings.CHECKPOINT_DIR).all(),
            settings.LEDGER_ORIGIN,
            MLFLOW_DATABASE,
        )
        base = store.path / "base" / options["base"] if options["base"] else None
        with tqdm(unit="B", unit_scale=True, disable=None) as bar:
            report = verify_backup(store, opening, trust=trust, base=base, seen=bar.update)
        record(report)
        for flaw in report.flaws:
            self.stderr.write(flaw)
        if not report.is_good:
            raise CommandError(f"the backup {report.base} is bad: {report.flaws[0]}")
        self.stdout.write(
            self.style.SUCCESS(
                f"{report.base}: {report.records} records verified against {report.checkpoints} "
                f"checkpoints; complete until {report.complete_until}"
            )
        )


def record(report: Report) -> None:
    audit.append_alone(
        stream=archive.STREAM,
        kind=f"audit.backup.{'verified' if report.is_good else 'failed'}",
        actor=audit.os_user_actor(),
        reason=report.flaws[0][:300] if report.flaws else None,
        data=report.as_told(),
    )
