"""Archive the database's log continuously, until stopped."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from psycopg import OperationalError

from audit.recovery import sealed_files
from audit.recovery.sealed_files import BackupBad
from twin_core.config.processes import ADMIN
from twin_core.supervisor.backup.archive import Archiver, receiving
from twin_core.supervisor.backup.store import Store

log = structlog.get_logger("archive")


class Command(BaseCommand):
    help = "Receive the log as it is written and keep it encrypted in the backup folder."
    requires_system_checks: list[str] = []
    stopped = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, default=settings.BACKUP_DIR, help="backup folder")
        parser.add_argument("--recipient", default=settings.BACKUP_RECIPIENT, help="age1...")
        parser.add_argument("--every", type=float, default=5.0, help="seconds; default 5")

    def handle(self, **options: Any) -> None:
        if options["to"] is None or not options["recipient"] or ADMIN not in os.environ:
            raise CommandError(
                f"give --to and --recipient (TWIN_BACKUP_DIR, TWIN_BACKUP_RECIPIENT) and {ADMIN}"
            )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        store = Store(options["to"])
        try:
            store.make()
            recipient = sealed_files.recipient_of(options["recipient"])
            archiver = Archiver(
                store,
                os.environ[ADMIN],
                settings.DATA_DIR / "log-spool",
                recipient,
                settings.CHECKPOINT_DIR,
            )
            self.run(archiver, options["every"])
        except BackupBad as error:
            raise CommandError(str(error)) from error

    def stop(self, *_: Any) -> None:
        self.stopped = True

    def run(self, archiver: Archiver, every: float) -> None:
        with receiving(archiver) as receiver:
            while not self.stopped:
                try:
                    archiver.catch_up()
                except (BackupBad, OperationalError, OSError) as error:
                    log.error("the log is not archived", error=str(error))
                if receiver.poll() is not None:
                    raise BackupBad("pg_receivewal has ended: is the replication slot valid?")
                self.wait(every)

    def wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.stopped and time.monotonic() < deadline:
            time.sleep(0.1)
