"""The sealer's database role for the length of a command: it alone may close and drop months."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections


@contextmanager
def as_sealer() -> Iterator[None]:
    """Sign in to the same database as the sealer, where its address is set; else change nothing."""
    given = getattr(settings, "SEALER_DATABASE", None)
    if not given:
        yield
        return
    connection = connections["default"]
    before = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update(USER=given["USER"], PASSWORD=given["PASSWORD"])
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)
