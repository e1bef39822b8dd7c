"""Send what the outbox holds to the workers, until stopped."""

import signal
import time
from typing import Any

import psycopg
import structlog
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connection
from kombu.exceptions import OperationalError as QueueError

from audit import api as audit
from twin_core import outbox
from twin_core.config.celery import app
from twin_core.insight import capsules, recommendations
from twin_core.tasks import ask_for_exports, work

AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, QueueError)
log = structlog.get_logger("relay")
PATIENCE = 1.0  # seconds between two looks when nothing wakes the relay
DELETE_S = 3600.0  # seconds between two looks for export files that were kept their time
EXPIRE_S = 2.0  # seconds between two looks for advice that nobody signed or wrote in time
NOT_OURS = ("write",)  # the write gate takes its orders itself


class Command(BaseCommand):
    help = "Send work from the outbox to the workers; Redis only carries, the table is the truth."
    stopped = False
    expired_at = 0.0
    deleted_at = -DELETE_S

    def handle(self, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        app.set_current()
        while not self.stopped:
            try:
                self.listen()
            except AWAY as error:  # database or queue went away
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
            self.expire()
            list(driver.notifies(timeout=PATIENCE, stop_after=1))

    def expire(self) -> None:
        """Let advice expire by the plants' clocks: a pass now and then, whatever was asked."""
        if time.monotonic() - self.expired_at >= EXPIRE_S:
            self.expired_at = time.monotonic()
            with audit.acting(audit.process_actor()):
                recommendations.expire_stale()
                capsules.ask_for_ended()
                ask_for_exports()
                self.delete_old_exports()

    def delete_old_exports(self) -> None:
        """Delete export files whose time is over: a look each hour."""
        if time.monotonic() - self.deleted_at >= DELETE_S:
            self.deleted_at = time.monotonic()
            audit.exports.jobs.delete_old()
