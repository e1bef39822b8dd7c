"""Acts that are done once though their answer was lost.

When the connection breaks after COMMIT was sent, the caller does not know whether it was done.
It chose a key for the act beforehand; asked again under this key, the act is done if it was not,
and otherwise the one record that it left is returned.
"""

import hashlib
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction

from audit import canonical
from audit.models import ActKey, Record
from audit.outcomes import deadline
from audit.refusals import Refused

ATTEMPTS = 5
GONE = ("08", "57P")  # classes of SQLSTATE: the connection, the operator's intervention
PAUSE = 0.2  # seconds before the second attempt; doubled before each further one


class KeyConflict(Refused):
    """The key was used for something else."""

    act = "audit.act"
    what_to_do = "Choose a new key: one key stands for one act."


class OutcomeUnknown(Exception):
    """The store did not answer; whether the act was done is not known. Ask again under its key."""


def done_under(key: UUID, asked: dict[str, Any]) -> Record | None:
    """Return the record that the act left, None if it was not done.

    Raises KeyConflict where the key stands for something other than ``asked``.
    """
    known = ActKey.objects.filter(pk=key).first()
    if known is None:
        return None
    if known.digest != _digest(asked):
        raise KeyConflict(f"the key {key} was used for another act")
    return Record.objects.get(pk=known.record_id)


def once(key: UUID, asked: dict[str, Any], do: Callable[[], Record]) -> tuple[Record, bool]:
    """Do an act once: return its record and whether it had been done before.

    ``asked`` is what the caller wants, as canonical content; ``do`` writes rows and the record
    and returns the record. Joins a running transaction. An attempt under the same key that is
    still on its way is waited for, so two attempts at once leave one record.
    """
    with transaction.atomic():
        if (record := done_under(key, asked)) is not None:
            return record, True
        try:
            with transaction.atomic():
                record = do()
                ActKey.objects.create(key=key, record_id=record.pk, digest=_digest(asked))
        except IntegrityError:
            if (found := done_under(key, asked)) is None:
                raise  # another rule was broken, not the key's
            return found, True
    return record, False


def until_known(
    key: UUID,
    asked: dict[str, Any],
    do: Callable[[], Record],
    *,
    attempts: int = ATTEMPTS,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[Record, bool]:
    """``once`` in transactions of its own, again after each lost connection.

    Raises OutcomeUnknown when the store stays away, the server's own error where it answered (the
    act was not done then), RuntimeError inside a transaction.
    """
    if connection.in_atomic_block:
        raise RuntimeError("an act that is tried again begins outside any transaction")
    for attempt in range(attempts):
        try:
            return once(key, asked, do)
        except (OperationalError, InterfaceError) as error:
            if not _is_lost(error):
                raise  # the server answered: it was not done
            connection.close()
            lost: Exception = error
            if deadline.is_over():
                break
            if attempt + 1 < attempts:
                pause(PAUSE * 2**attempt)
    raise OutcomeUnknown(f"no answer in {attempt + 1} attempts; ask again under {key}") from lost


def _is_lost(error: Exception) -> bool:
    """Whether the connection broke, or the server went away, rather than said no."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state.startswith(GONE)


def _digest(asked: dict[str, Any]) -> str:
    return hashlib.sha256(canonical.encode(asked)).hexdigest()
