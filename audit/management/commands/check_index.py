"""Compare the trail's index with the ledger."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from audit.desk import comparison


class Command(BaseCommand):
    help = "Derive every row of the index from its record and name the first that differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the result as one JSON line")

    def handle(self, **options: Any) -> None:
        with tqdm(unit=" records", disable=None) as bar:
            found = comparison.compare(bar.update)
        if options["json"]:
            self.stdout.write(json.dumps(found.as_json(), sort_keys=True))
        if found.flaw:
            raise CommandError(f"{found.flaw}: run manage.py rebuild_index; the ledger is not hurt")
        if not options["json"]:
            self.stdout.write(
                self.style.SUCCESS(
                    f"{found.rows} rows are what the ledger says, {found.waiting} sealed records "
                    f"wait for the indexer; digest {found.digest}"
                )
            )
