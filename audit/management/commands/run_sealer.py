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
from audit.recovery import archive
from audit.retention import partitions
from audit.retention.space import SpaceWatch

log = structlog.get_logger("sealer")
MINUTE, HOUR = 60.0, 3600.0  # seconds
CLOSED_EVERY = 1.0  # seconds between looks at a closed ledger


class Command(BaseCommand):
    help = "Put committed records in order, chain them and sign checkpoints, until stopped."
    stopped = False
    said = ""

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
            except sealer.LedgerClosed as error:
                self.say_closed(str(error))
                time.sleep(CLOSED_EVERY)
            except sealer.SealingRefused as error:
                raise CommandError(f"sealing refused: {error}") from error

    def stop(self, *_: Any) -> None:
        self.stopped = True

    def say_closed(self, why: str) -> None:
        """Alarm once for each reason: the process stays, so that pages can say what is wrong."""
        if why != self.said:
            log.error("the ledger is closed", why=why)
            self.said = why

    def run(self) -> None:
        sealer.acquire()
        place, outside = sealing.key_place(), Outside(settings.CHECKPOINT_DIR)
        sealing.settle_key(place)
        work = sealer.Sealer(
            key=keys.signing_key(settings.LEDGER_KEY_FILE),
            origin=settings.LEDGER_ORIGIN,
            outside=outside,
            others=fencing.watchers(settings.LEDGER_ORIGIN),
        )
        work.second_key = sealing.second_key()
        while work.found and not self.stopped:  # closed: nothing of it is published either
            work.seal()
            time.sleep(settings.SEAL_INTERVAL)
        self.stdout.write(f"sealing {settings.LEDGER_ORIGIN} from {work.tree.size} records")
        with sealing.evidence_outside(outside) as beside:
            self.seal(work, sealing.KeyTurner(place, work), beside)

    def seal(self, work: sealer.Sealer, turner: KeyTurner, beside: Beside) -> None:
        """Seal until stopped; raises LedgerClosed when a witness knows another history."""
        second = minute = hour = time.monotonic()
        space = SpaceWatch(settings.DATA_DIR)
        archived = archive.Watch(settings.BACKUP_DIR) if settings.BACKUP_DIR else None
        while not self.stopped:
            if beside.refusal:
                raise sealer.LedgerClosed(beside.refusal)
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
            if now >= minute:
                space.look()
                for flaw in archived.look() if archived is not None else ():
                    log.error("the archive of the log falls short", why=flaw)
                minute = now + MINUTE
            if now >= hour:
                partitions.keep_ahead()
                hour = now + HOUR
            if sealed < sealer.MOST:  # few blocks with many records, not one for each record
                time.sleep(max(0.0, now + settings.SEAL_INTERVAL - time.monotonic()))
        work.seal()
        work.publish()
