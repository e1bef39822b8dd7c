"""Print which requirement is shown by what, and what is missing."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from validation import coverage, trace


class Command(BaseCommand):
    help = "Print each requirement with its tests and protocol steps and their last results."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--csv", type=Path, metavar="FILE", help="write the matrix as CSV too")
        parser.add_argument("--strict", action="store_true", help="exit 1 when there are gaps")

    def handle(self, *, csv: Path | None, strict: bool, **_: Any) -> None:
        rows = coverage.current()
        self.stdout.write(trace.as_table(rows))
        if csv:
            csv.write_text(trace.as_csv(rows), encoding="utf-8")
            self.stdout.write(f"written to {csv}")
        gaps = [row.requirement.id for row in rows if row.status != trace.COVERED]
        if strict and gaps:
            raise CommandError(f"{len(gaps)} requirements are not covered on this build")
