"""Seal records until stopped."""

import signal
import time
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection

from audit import keys, sealer
from audit.outside import Outside

log = structlog.get_logger("sealer")
HOUR = 3600.0  # seconds


class Command(BaseCommand):
    help = "Put committed records in order, chain them and sign checkpoints, until stopped."
    stopped = False

    def handle(self, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        while not self.stopped:
            try:
                self.run()
            except OperationalError as error:  # the database went away: start over from its truth
                log.warning("database unavailable", error=str(error))
                connection.close()
                time.sleep(0.5)
            except sealer.SealingRefused as error:
                raise CommandError(f"sealing refused: {error}") from error

    def stop(self, *_: Any) -> None:
        self.stopped = True

    def run(self) -> None:
        sealer.acquire()
        work = sealer.Sealer(
            key=keys.signing_key(settings.LEDGER_KEY_FILE),
            origin=settings.LEDGER_ORIGIN,
            outside=Outside(settings.CHECKPOINT_DIR),
        )
        self.stdout.write(f"sealing {settings.LEDGER_ORIGIN} from {work.tree.size} records")
        second = hour = time.monotonic()
        while not self.stopped:
            now = time.monotonic()
            sealed = work.seal()
            if now >= second:
                work.publish()
                work.watch_clock()
                work.watch_lag()
                second = now + 1
            if now >= hour:
                sealer.make_partitions()
                hour = now + HOUR
            if sealed < sealer.MOST:  # few blocks with many records, not one for each record
                time.sleep(max(0.0, now + settings.SEAL_INTERVAL - time.monotonic()))
        work.seal()
        work.publish()
