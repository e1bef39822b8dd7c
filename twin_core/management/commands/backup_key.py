"""Make the identity that opens backups."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.recovery import sealed_files


class Command(BaseCommand):
    help = (
        "Write a new age identity to a file and print its recipient. Run it on another machine, "
        "keep the file there, and give the recipient alone to the installation."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, required=True, help="file that does not exist yet")

    def handle(self, **options: Any) -> None:
        try:
            self.stdout.write(sealed_files.make_identity(options["to"]))
        except OSError as error:
            raise CommandError(f"{options['to']}: {error.strerror}") from error
