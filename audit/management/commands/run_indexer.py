"""Index sealed records for the trail's search until stopped."""

import signal
import time
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection

from audit.desk import indexing

log = structlog.get_logger("indexer")
PAUSE = 0.5  # seconds between two looks when there was nothing; the search reads what is newer


class Command(BaseCommand):
    help = "Fill the index beside the ledger from sealed records, until stopped."
    stopped = False

    def handle(self, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        while not self.stopped:
            try:
                self.run()
            except OperationalError as error:  # the database went away: go on from its mark
                log.warning("database unavailable", error=str(error))
                connection.close()
                time.sleep(PAUSE)
            except indexing.IndexingRefused as error:
                raise CommandError(str(error)) from error

    def stop(self, *_: Any) -> None:
        self.stopped = True

    def run(self) -> None:
        indexing.acquire()
        self.stdout.write(f"indexing from record {indexing.mark().sequence + 1}")
        while not self.stopped:
            if not indexing.index():
                time.sleep(PAUSE)
