"""Write the decision capsule of a recommendation to a file."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from twin_core.insight import capsule, capsules
from twin_core.models import Recommendation


class Command(BaseCommand):
    help = "Write one recommendation with all that computing it again needs, as one file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("recommendation", type=UUID, help="id of the recommendation")
        parser.add_argument("--out", type=Path, required=True, help="file that does not exist")

    def handle(self, **options: Any) -> None:
        try:
            made = capsule.make(capsules.load(options["recommendation"]))
        except Recommendation.DoesNotExist as error:
            raise CommandError(f"no recommendation {options['recommendation']}") from error
        try:
            with options["out"].open("xb") as file:
                file.write(made.text)
        except OSError as error:
            raise CommandError(f"{options['out']}: {error.strerror}") from error
        self.stdout.write(f"{options['out']}: SHA-256 {made.digest}")
