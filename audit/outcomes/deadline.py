"""An end to waiting for the database: a frozen server is a refusal in time, not a hanging page.

The server's own timeouts end nothing while it is frozen. So who waits gives up: the driver looks
at the clock while it waits, and closes the connection when the time is over. Whether the act was
done is then not known; see ``audit.outcomes.once``.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg
from django.db.backends.signals import connection_created

_until: ContextVar[float | None] = ContextVar("answers_until", default=None)


@contextmanager
def answers_within(seconds: float) -> Iterator[None]:
    """Let what runs in the block wait for the database for so many seconds altogether.

    Afterwards each wait raises OperationalError and the connection is closed. Signing in is
    bounded by the driver's own ``connect_timeout``.
    """
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def is_over() -> bool:
    """Return whether the time to wait has run out; never where none is set."""
    until = _until.get()
    return until is not None and time.monotonic() >= until


def watch(sender: Any, connection: Any, **_: Any) -> None:
    """Give a connection of Django's the deadline; it costs nothing where none is set."""
    driver = connection.connection
    wait = driver.wait

    def bounded_wait(waiting: Any, *arguments: Any, **options: Any) -> Any:
        until = _until.get()
        if until is None or "timeout" in options:
            return wait(waiting, *arguments, **options)
        left = max(0.0, until - time.monotonic())
        try:
            return wait(waiting, *arguments, timeout=left, **options)
        except psycopg.Error:
            if time.monotonic() < until:
                raise
            driver.close()  # what it was asked is not known to be done, or undone
            raise psycopg.OperationalError("the database did not answer in time") from None

    driver.wait = bounded_wait


def install() -> None:
    """Watch every connection that Django opens from now on."""
    connection_created.connect(watch, dispatch_uid="audit.outcomes.deadline")
