"""Learn the demonstration's model versions anew and ship them by digest: for maintainers."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm

from twin_core.supervisor import models


class Command(BaseCommand):
    help = "After a change of the equations: write the frozen artefacts and their digest list."

    def add_arguments(self, parser: CommandParser) -> None:
        names = [plan.name for plan in models.PLANS]
        parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {' '.join(names)}")

    def handle(self, **options: Any) -> None:
        wanted = options["names"] or [plan.name for plan in models.PLANS]
        for plan in models.PLANS:
            if plan.name in wanted:
                with tqdm(bar_format="{desc}, {elapsed}", disable=None) as bar:
                    digest = models.freeze(plan, say=bar.set_description_str)
                self.stdout.write(self.style.SUCCESS(f"{plan.name} {digest}"))
