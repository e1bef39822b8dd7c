"""Throw the trail's index away and fill it anew from the ledger."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from audit.desk import indexing


class Command(BaseCommand):
    help = (
        "Empty the index beside the ledger and fill it from the records. Nothing is lost by it; "
        "searching is slower meanwhile. Stop the indexer first."
    )

    def handle(self, **options: Any) -> None:
        try:
            indexing.acquire()
        except indexing.IndexingRefused as error:
            raise CommandError(str(error)) from error
        with tqdm(unit=" records", disable=None) as bar:
            rows = indexing.rebuild(bar.update)
        self.stdout.write(self.style.SUCCESS(f"{rows} records are indexed"))
