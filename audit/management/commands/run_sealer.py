"""Seal records until stopped."""

import signal
import time
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection

from audit import keys, sealer
from audit.outside import Outside, fencing, sealing
from audit.outside.sealing import Beside, KeyTurner

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
        place, outside = sealing.key_place(), Outside(settings.CHECKPOINT_DIR)
        sealing.settle_key(place)
        work = sealer.Sealer(
            key=keys.signing_key(settings.LEDGER_KEY_FILE),
            origin=settings.LEDGER_ORIGIN,
            outside=outside,
        )
        work.second_key = sealing.second_key()
        fencing.refuse_if_fenced(work)
        self.stdout.write(f"sealing {settings.LEDGER_ORIGIN} from {work.tree.size} records")
        with sealing.evidence_outside(outside) as beside:
            self.seal(work, sealing.KeyTurner(place, work), beside)

    def seal(self, work: sealer.Sealer, turner: KeyTurner, beside: Beside) -> None:
        second = hour = time.monotonic()
        while not self.stopped:
            if beside.refusal:
                raise sealer.SealingRefused(beside.refusal)
            now = time.monotonic()
            sealed = work.seal()
            if now >= second:
                turner.before_checkpoint()
                if work.publish():
                    beside.wake()
                turner.after_checkpoint()
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
