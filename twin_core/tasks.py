"""Celery: one task, which takes a piece of work from the outbox. Identifiers in, nothing out."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import structlog
from celery import shared_task
from django.db import OperationalError

from audit import api as audit
from twin_core import outbox
from twin_core.insight import capsules, estimates, forecasts, recommendations


def export_records(task: outbox.OutboxTask, export: str) -> None:
    """Work on an export for a slice of time, and ask for the next slice when work is left."""
    is_unfinished = audit.exports.jobs.work_on(UUID(export))
    with outbox.effect(task):
        if is_unfinished:
            ask_for_exports()


def ask_for_exports() -> None:
    """Ask for the next slice of each export that has work left; what is asked for stays so."""
    for export, slices in audit.exports.jobs.due():
        outbox.ask("export", f"export/{export}/{slices}", export=str(export))


log = structlog.get_logger("worker")
WORK: dict[str, Callable[..., Any]] = {
    "estimate": estimates.create,
    "forecast": forecasts.create,
    "recommend": recommendations.propose,
    "capsule": capsules.create,
    "export": export_records,
}


@shared_task(
    acks_late=True,  # a killed worker gives the work back
    autoretry_for=(OperationalError,),  # only faults that pass; a model error must surface
    retry_backoff=True,
    max_retries=5,
    soft_time_limit=240,  # seconds
)
def work(outbox_id: int) -> None:
    """Do one piece of work. Safe to deliver twice: who comes second finds it leased or done."""
    task = outbox.lease(identity=outbox_id)
    if task is None:
        return
    try:
        with audit.acting(audit.process_actor()):
            WORK[task.name](task, **task.content)
    except outbox.Overtaken as error:
        log.warning("overtaken", task=str(task), error=str(error))
    except OperationalError:
        raise
    except Exception as error:  # kept with its input, retried, then parked for a person
        log.exception("work failed", task=str(task))
        outbox.fail(task, f"{type(error).__name__}: {error}")
