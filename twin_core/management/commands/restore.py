"""Bring a backup back into a new data folder."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from audit.recovery.sealed_files import BackupBad
from twin_core.supervisor.backup.restoring import FACTS, Opening, restore
from twin_core.supervisor.backup.store import Store
from twin_core.supervisor.folder import DataFolder


class Command(BaseCommand):
    help = (
        "Bring back the newest backup, with all of the archived log, into the new data folder "
        "--data DIR. Then start the site, and let two persons run open_epoch."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from", type=Path, dest="store", required=True, help="the backup folder"
        )
        parser.add_argument("--base", help="one base backup by its name; default: the newest")
        parser.add_argument("--identity", type=Path, required=True, help="identity of the backup")
        parser.add_argument("--keys", type=Path, required=True, help="the escrowed keys")
        parser.add_argument("--keys-identity", type=Path, help="of the escrow; default: --identity")

    def handle(self, **options: Any) -> None:
        store, folder = Store(options["store"]), DataFolder(settings.DATA_DIR)
        opening = Opening(options["identity"], options["keys"], options["keys_identity"])
        base = store.path / "base" / options["base"] if options["base"] else None
        try:
            with tqdm(unit="B", unit_scale=True, disable=None) as bar:
                done = restore(store, folder, opening, base=base, seen=bar.update)
        except (BackupBad, OSError, RuntimeError) as error:
            raise CommandError(str(error)) from error
        facts = done.facts
        self.stdout.write(f"{folder.path}: restored from {facts['backup']}")
        self.stdout.write(f"complete until {facts['complete_until']}; facts in {FACTS}")
        for name in done.missing_segments:
            self.stdout.write(self.style.WARNING(f"log segment {name} is missing: it ends before"))
        self.stdout.write(
            "Copy the newest outside checkpoints to its folder checkpoints, start the site, and "
            "run open_epoch: until then the ledger is closed."
        )
