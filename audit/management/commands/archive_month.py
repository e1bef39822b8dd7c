"""Archive a month of the ledger and close it."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from audit import actors
from audit.retention import archive, months, refusing
from audit.retention.sealing_role import as_sealer


class Command(BaseCommand):
    help = "Verify a month that is over, write its bundle, verify that, and close the month."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("month", help="like 2026-01")
        parser.add_argument("--to", type=Path, required=True, help="folder of the archives")

    def handle(self, **options: Any) -> None:
        with as_sealer(), tqdm(unit="", disable=None) as bar:

            def show(what: str, done: int, total: int) -> None:
                bar.set_description(what)
                bar.total = total
                bar.update(done - bar.n)

            row = self.archived(options, show)
        self.stdout.write(
            f"{row.month}: {row.records} records, sequences {row.first_sequence} to "
            f"{row.last_sequence}, kept at least until {row.retain_until:%Y-%m-%d}"
        )
        self.stdout.write(f"{row.place}: {row.size} bytes, manifest SHA-256 {row.manifest}")

    def archived(self, options: dict[str, Any], show: Any) -> Any:
        actor = actors.os_user_actor()
        try:
            month = months.read(options["month"])
            return archive.archive(month, options["to"], actor=actor, progress=show)
        except refusing.RetentionRefused as refusal:
            refusing.record(refusal, actor=actor)
            raise CommandError(f"not archived: {refusal.reason}") from refusal
        except (archive.BundleWrong, months.MonthWrong, OSError) as error:
            raise CommandError(f"not archived: {error}") from error
