"""Work beside the sealer: each in a thread and on a database connection of its own."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog
from django.db import DatabaseError, InterfaceError, connection

EVERY = 1.0  # seconds from one step to the next
AT_THE_END = 1.0  # seconds that the end waits for a step that is under way

log = structlog.get_logger("outside")


class Worker(threading.Thread):
    """Calls ``step`` each second until it is stopped; an error ends the step, not the thread."""

    def __init__(self, name: str, step: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.step, self.error = step, ""
        self.is_over, self.woken = False, threading.Event()

    def run(self) -> None:
        while not self.is_over:
            began = time.monotonic()
            self._one()
            self.woken.wait(max(0.0, EVERY - (time.monotonic() - began)))
            self.woken.clear()
        connection.close()

    def wake(self) -> None:
        """Have the next step done now."""
        self.woken.set()

    def end(self) -> None:
        self.is_over = True
        self.wake()

    def _one(self) -> None:
        try:
            self.step()
        except (DatabaseError, InterfaceError) as error:  # away, or stopping: start over
            connection.close()
            self._say(error)
        except Exception as error:  # whatever it is, the sealer and the next step go on
            self._say(error)
        else:
            self.error = ""

    def _say(self, error: Exception) -> None:
        told = f"{type(error).__name__}: {error}"
        if told != self.error:
            log.error("a step outside the ledger failed", worker=self.name, error=told)
        self.error = told


@contextmanager
def running(steps: Sequence[tuple[str, Callable[[], None]]]) -> Iterator[list[Worker]]:
    """Run the steps beside the block; yields their workers in the same order."""
    workers = [Worker(name, step) for name, step in steps]
    for worker in workers:
        worker.start()
    try:
        yield workers
    finally:
        for worker in workers:
            worker.end()
        for worker in workers:
            worker.join(AT_THE_END)
