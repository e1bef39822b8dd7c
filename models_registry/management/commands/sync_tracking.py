"""Bring MLflow up to the ledger, once or again and again."""

import signal
import threading
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection

from models_registry import tracking

log = structlog.get_logger("tracking")


class Command(BaseCommand):
    help = "Feed MLflow with the model versions whose acts it has not heard of."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="every version, to repair MLflow")
        parser.add_argument(
            "--every", type=float, metavar="SECONDS", help="keep feeding until stopped"
        )

    def handle(self, **options: Any) -> None:
        if options["every"]:
            self.keep_feeding(options["every"])
            return
        try:
            report = tracking.sync(everything=options["all"])
        except tracking.TrackingUnavailable as error:
            raise CommandError(str(error)) from error
        if report.is_busy:
            raise CommandError("another process is feeding MLflow just now: try again")
        if report.failed:
            raise CommandError("; ".join(report.failed))
        self.stdout.write(self.style.SUCCESS(f"MLflow is up to the ledger: {report.fed} fed"))

    def keep_feeding(self, seconds: float) -> None:
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        while not stopped.is_set():
            try:
                report = tracking.sync()
                if report.fed or report.failed:
                    log.info("fed", versions=report.fed, failed=list(report.failed))
            except tracking.TrackingUnavailable as error:
                raise CommandError(str(error)) from error
            except OperationalError as error:  # our own database went away: it comes back
                log.warning("database unavailable", error=str(error))
                connection.close()
            stopped.wait(seconds)
