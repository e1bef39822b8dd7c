"""The outbox: work asked for in the transaction of the act that needs it.

Redis only wakes; this table says what is to be done. A task is leased with a fencing token that
rises, and its effect and its end share one transaction: a worker that was thought dead and comes
back finds its token overtaken and changes nothing. A lease outlives processes, so it is told by the
database's clock: the one that all of them share, and whose steps are recorded.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from audit import api as audit
from twin_core.models import OutboxTask

LEASE = timedelta(seconds=60)
HINT = timedelta(seconds=5)  # a task that was sent and not taken is sent again after this
MOST_ATTEMPTS = 5
CHANNEL = "outbox"


STREAM = "outbox"


class Overtaken(Exception):
    """The lease has passed to another worker: its result stands, this one is dropped."""


class NotParked(audit.Refused):
    """Work that is not parked needs no retry: it waits, runs or is done."""

    act = "twin_core.outbox_task"


def ask(name: str, key: str, **content: Any) -> None:
    """Ask for a piece of work once; the same key asks for nothing new. Part of the caller's act."""
    OutboxTask.objects.bulk_create(
        [OutboxTask(name=name, key=key, content=content)], ignore_conflicts=True
    )
    _wake()


def _wake() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")


def due(*, leaving_out: Sequence[str], most: int = 100) -> list[int]:
    """Return the tasks to send now, oldest first, and note that they were sent."""
    now = audit.database_now()
    with transaction.atomic():
        found = list(
            _free(now)
            .exclude(name__in=leaving_out)
            .order_by("id")
            .select_for_update(skip_locked=True)
            .values_list("pk", flat=True)[:most]
        )
        OutboxTask.objects.filter(pk__in=found, state=OutboxTask.State.WAITING).update(
            lease_until=now + HINT
        )
    return found


def lease(*, identity: int | None = None, name: str | None = None) -> OutboxTask | None:
    """Take one task, by key or the oldest of a name; None when it is done or in other hands."""
    now = audit.database_now()
    wanted = {"pk": identity} if identity is not None else {"name": name}
    with transaction.atomic():
        free = _free(now) if identity is None else _takeable(now)
        task = free.filter(**wanted).order_by("id").select_for_update(skip_locked=True).first()
        if task is None:
            return None
        task.state, task.lease_until = OutboxTask.State.LEASED, now + LEASE
        task.token, task.attempts = task.token + 1, task.attempts + 1
        task.save(update_fields=["state", "lease_until", "token", "attempts"])
    return task


def is_overdue(task: OutboxTask, *, prefix: str, after: Decimal) -> bool:
    """Whether the same work for a later moment waits; keys are ``prefix`` and process hours."""
    waiting = OutboxTask.objects.filter(
        name=task.name, key__startswith=prefix, state=OutboxTask.State.WAITING
    )
    keys = waiting.values_list("key", flat=True)
    return any(Decimal(key.removeprefix(prefix)) > after for key in keys)


@contextmanager
def effect(task: OutboxTask) -> Iterator[None]:
    """Apply a task's effect and end it in one transaction; Overtaken when the lease has gone."""
    with transaction.atomic():
        held = OutboxTask.objects.select_for_update().get(pk=task.pk)
        if (held.state, held.token) != (OutboxTask.State.LEASED, task.token):
            raise Overtaken(f"{task}: token {task.token} was overtaken by {held.token}")
        yield
        held.state, held.error = OutboxTask.State.DONE, ""
        held.save(update_fields=["state", "error"])


def give_back(task: OutboxTask, *, after: timedelta = timedelta(milliseconds=300)) -> None:
    """Put a task back that could not be done yet; waiting is no failed attempt."""
    OutboxTask.objects.filter(pk=task.pk, token=task.token, state=OutboxTask.State.LEASED).update(
        state=OutboxTask.State.WAITING,
        lease_until=audit.database_now() + after,
        attempts=max(task.attempts - 1, 0),
    )


def fail(task: OutboxTask, error: str) -> None:
    """Give a task back for another try, or park it with its error after too many."""
    parked = task.attempts >= MOST_ATTEMPTS
    OutboxTask.objects.filter(pk=task.pk, token=task.token, state=OutboxTask.State.LEASED).update(
        state=OutboxTask.State.PARKED if parked else OutboxTask.State.WAITING,
        lease_until=audit.database_now() + HINT * task.attempts,
        error=error[:4000],
    )


@transaction.atomic
def retry(identity: int, *, actor: Any, reason: str) -> OutboxTask:
    """Send parked work again, at a person's wish and on the record; raises NotParked."""
    task = OutboxTask.objects.select_for_update().get(pk=identity)
    if task.state != OutboxTask.State.PARKED:
        raise NotParked(f"{task} is {task.state}: there is nothing to retry")
    if not reason.strip():
        raise NotParked("a retry needs its reason")
    audit.append(
        stream=STREAM,
        kind="twin_core.outbox_task.retried",
        actor=actor,
        reason=reason.strip(),
        data={"task": task.key, "name": task.name, "content": task.content, "error": task.error},
    )
    task.state, task.attempts, task.lease_until = OutboxTask.State.WAITING, 0, None
    task.save(update_fields=["state", "attempts", "lease_until"])
    _wake()
    return task


def _free(now: Any) -> Any:
    """Return the tasks nobody holds: waiting and not just sent, or leased too long ago."""
    states = [OutboxTask.State.WAITING, OutboxTask.State.LEASED]
    free = OutboxTask.objects.filter(state__in=states)
    return free.exclude(lease_until__gt=now)


def _takeable(now: Any) -> Any:
    """Return the tasks that a worker which was sent one may take."""
    waiting = OutboxTask.objects.filter(state=OutboxTask.State.WAITING)
    return waiting | OutboxTask.objects.filter(state=OutboxTask.State.LEASED, lease_until__lte=now)
