"""Months made ahead while the ledger runs, and an alarm when the coming one is missing."""

from datetime import datetime
from typing import Any

import structlog
from django.db import DatabaseError, connection

from audit import ledger, sealer
from audit.retention import months
from audit.retention.policy import month_end

AHEAD = 2  # months beyond the present one
KIND = "audit.partition.missing"

log = structlog.get_logger("sealer")


def wanted(at: datetime, ahead: int = 1) -> list[str]:
    """Return the months that must be there at a moment: the present one and those ahead."""
    found, moment = [], at
    for _ in range(ahead + 1):
        found.append(f"{moment:%Y-%m}")
        moment = month_end(found[-1])
    return found


def missing(at: datetime | None = None) -> list[str]:
    """Return the months among the present and the coming one that have no place to be written."""
    present = {month for month, _ in months.partitions()}
    return [month for month in wanted(at or months.now()) if month not in present]


def keep_ahead(at: datetime | None = None, *, make: Any = sealer.make_partitions) -> list[str]:
    """Make the months ahead; record and log those that are still missing, and return them.

    Call it at start and at least daily. A failure to make them is an alarm, not an end of sealing.
    """
    reason = "the partition could not be made"
    try:
        make(AHEAD)
    except DatabaseError as error:
        reason = str(error).split("\n")[0]
        connection.close_if_unusable_or_obsolete()
    if lacking := missing(at):
        log.error("the coming month has no partition", months=lacking, reason=reason)
        ledger.append_alone(
            stream="ledger",
            kind=KIND,
            reason=f"{reason}; run manage.py init_database",
            data={"months": lacking},
        )
    return lacking
