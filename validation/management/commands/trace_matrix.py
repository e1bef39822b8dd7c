"""Print which requirement is shown by what, and what is missing."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.api import software
from validation import requirements, results, runner, runs, trace


class Command(BaseCommand):
    help = "Print each requirement with its tests and protocol steps and their last results."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--csv", type=Path, metavar="FILE", help="write the matrix as CSV too")
        parser.add_argument("--strict", action="store_true", help="exit 1 when there are gaps")

    def handle(self, *, csv: Path | None, strict: bool, **_: Any) -> None:
        rows = current_matrix()
        self.stdout.write(trace.as_table(rows))
        if csv:
            csv.write_text(trace.as_csv(rows), encoding="utf-8")
            self.stdout.write(f"written to {csv}")
        gaps = [row.requirement.id for row in rows if row.status != trace.COVERED]
        if strict and gaps:
            raise CommandError(f"{len(gaps)} requirements are not covered on this build")


def current_matrix() -> list[trace.Row]:
    """Return the matrix for this build from the kept test results and the record store."""
    declared = {s.id: s.verifies for p in runner.installed().values() for s in p.steps}
    tests = results.read(requirements.ROOT / results.RESULTS)
    found = [*trace.from_tests(tests), *trace.from_steps(declared, runs.last_steps())]
    return trace.matrix(requirements.load(), found, software=software())
