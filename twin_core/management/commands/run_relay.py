"""Send what the outbox holds to the workers, until stopped."""

import signal
import time
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import OperationalError, connection
from kombu.exceptions import OperationalError as QueueError

from twin_core import outbox
from twin_core.config.celery import app
from twin_core.tasks import work

log = structlog.get_logger("relay")
PATIENCE = 1.0  # seconds between two looks when nothing wakes the relay
NOT_OURS = ("write",)  # the write gate takes its orders itself


class Command(BaseCommand):
    help = "Send work from the outbox to the workers; Redis only carries, the table is the truth."
    stopped = False

    def handle(self, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        app.set_current()
        while not self.stopped:
            try:
                self.listen()
            except (OperationalError, QueueError) as error:  # database or queue went away
                log.warning("waiting for services", error=str(error))
                connection.close()
                time.sleep(0.5)

    def stop(self, *_: Any) -> None:
        self.stopped = True

    def listen(self) -> None:
        connection.ensure_connection()
        driver = connection.connection
        driver.execute(f"LISTEN {outbox.CHANNEL}")
        while not self.stopped:
            for identity in outbox.due(leaving_out=NOT_OURS):
                work.apply_async((identity,), retry=False)
            list(driver.notifies(timeout=PATIENCE, stop_after=1))
