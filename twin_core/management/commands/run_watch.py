"""Look at the guards of the record store, and at the contents it keeps, until stopped."""

import signal
import time
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from audit import api as audit
from twin_core.data import status

NAME = "watch"
STATES = {"intact": "ready", "changed": "fault", "unwatched": "waiting", "unrecorded": "waiting"}
log = structlog.get_logger("watch")


class Command(BaseCommand):
    help = (
        "Compare triggers, grants, functions and roles with what is on record, and kept contents "
        "with their digests, until stopped. What differs is a record and an alarm."
    )
    stopped = False

    def handle(self, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        guards, contents = audit.guards.Watch(), audit.contents.Sweep()
        while not self.stopped:
            try:
                self.look(guards, contents)
            except (OperationalError, InterfaceError) as error:  # the database went away
                log.warning("database unavailable", error=str(error))
                connection.close()
            self.rest()

    def stop(self, *_: Any) -> None:
        self.stopped = True

    def look(self, guards: audit.guards.Watch, contents: audit.contents.Sweep) -> None:
        """Look once at everything, and say how it stands for the health page."""
        try:
            standing = guards.look()
            state, words = STATES[standing.state], str(standing)
        except (OperationalError, InterfaceError):
            raise
        except (ValueError, DatabaseError) as error:  # unreadable, or not to be put on record
            log.error("the guards cannot be compared", error=str(error))
            state, words = "fault", f"the guards cannot be compared: {error}"
        if damaged := contents.look():
            state, words = "fault", f"{words}; damaged contents: {', '.join(damaged)}"
        status.tell(NAME, state, words)

    def rest(self) -> None:
        deadline = time.monotonic() + settings.WATCH_EVERY_S
        while not self.stopped and time.monotonic() < deadline:
            time.sleep(min(0.2, settings.WATCH_EVERY_S))
