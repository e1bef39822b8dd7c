"""One writing process of a benchmark: ``python -m tests.benchmarks.writer VARIANT COUNT SEED``.

Says "ready", waits for a line, writes COUNT acts, says as JSON what CPU time that took.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import django
import orjson

START = datetime(2026, 1, 31, 9, 15, tzinfo=UTC)
REASON = "Feed is raised because the forecast of viable cells falls short of the batch's plan."
STATES = ("proposed", "shown", "approved", "confirmed")
PAGE = 1000  # payloads of one COPY


def order(number: int, chance: random.Random) -> dict[str, Any]:
    return {
        "code": f"R-{number:07}",
        "state": STATES[number % 4],
        "target": Decimal(chance.randrange(10**6)) / 10**4,
        "unit": "mL/h",
        "reason": REASON,
        "decided_at": START + timedelta(seconds=number),
        "detail": {
            "batch": f"B-{number % 40:04}",
            "asset": "BR-201",
            "model": "cho_fed_batch 1.4.2",
            "bands": [str(chance.randrange(10**6)) for _ in range(12)],
        },
    }


def facts(count: int, chance: random.Random) -> list[dict[str, Any]]:
    """Return what a raw log would keep of the same acts, as objects of plain JSON."""
    made = []
    for number in range(count):
        told = order(number, chance)
        told["target"], told["decided_at"] = str(told["target"]), told["decided_at"].isoformat()
        made.append(
            {
                "v": 1,
                "stream": f"batch/B-{number % 40:04}",
                "kind": "twin_core.recommendation.approved",
                "occurred_at": told["decided_at"],
                "actor": {"id": "018f", "kind": "person", "name": "Quinn Q. Reviewer"},
                "changes": [{"subject": {"type": "order", "id": str(number)}, "new": told}],
                "reason": REASON,
                "source": {"address": "10.0.0.7", "process": "web", "session": "s"},
            }
        )
    return made


def raw(count: int, chance: random.Random) -> Callable[[], None]:
    from django.db import connection

    told = facts(count, chance)
    connection.ensure_connection()
    cursor = connection.connection.cursor()

    def write() -> None:
        for each in told:
            text = orjson.dumps(each).decode()
            cursor.execute("INSERT INTO raw_record (payload) VALUES (%s)", (text,), prepare=True)

    return write


def raw_copy(count: int, chance: random.Random) -> Callable[[], None]:
    from django.db import connection

    told = facts(count, chance)
    connection.ensure_connection()

    def write() -> None:
        for start in range(0, count, PAGE):
            with (
                connection.connection.cursor() as cursor,
                cursor.copy("COPY raw_record (payload) FROM STDIN") as copy,
            ):
                for each in told[start : start + PAGE]:
                    copy.write_row((orjson.dumps(each).decode(),))

    return write


def append(count: int, chance: random.Random) -> Callable[[], None]:
    from audit import api as audit

    acts = [act_of(number, chance) for number in range(count)]

    def write() -> None:
        for each in acts:
            audit.append(**each)

    return write


def append_many(count: int, chance: random.Random) -> Callable[[], None]:
    """Write pages of records, each page in one COPY and one transaction."""
    from django.db import transaction

    from audit import api as audit

    acts = [act_of(number, chance) for number in range(count)]

    def write() -> None:
        for start in range(0, count, PAGE):
            with transaction.atomic():
                audit.append_many(acts[start : start + PAGE])

    return write


def act_of(number: int, chance: random.Random) -> dict[str, Any]:
    """Return what ``audit.append`` takes for one act."""
    from audit import api as audit

    return {
        "stream": f"batch/B-{number % 40:04}",
        "kind": "twin_core.recommendation.approved",
        "actor": audit.Actor("person", "018f3a52-7c11-7000-8000-000000000007", "Quinn Q. Reviewer"),
        "changes": [({"type": "order", "id": str(number)}, None, order(number, chance))],
        "reason": REASON,
    }


def paced(count: int, chance: random.Random) -> Callable[[], None]:
    """Write 125 records a second."""
    from audit import api as audit

    acts = [act_of(number, chance) for number in range(count)]

    def write() -> None:
        started = time.monotonic()
        for number, each in enumerate(acts):
            time.sleep(max(0.0, started + number / 125 - time.monotonic()))
            audit.append(**each)

    return write


def _rival(name: str, each: int) -> Callable[[int, random.Random], Callable[[], None]]:
    """Create ``each`` rows in one transaction, then change them all in the next."""

    def prepare(count: int, chance: random.Random) -> Callable[[], None]:
        from django.db import transaction

        from tests.benchmarks.rivals import models

        model = getattr(models, name)
        acts = count // (2 * each)
        rows = [[model(**order(n * each + k, chance)) for k in range(each)] for n in range(acts)]
        model.objects.count()

        def write() -> None:
            for group in rows:
                with transaction.atomic():
                    for row in group:
                        row.save()
                for row in group:
                    row.state, row.target = "confirmed", row.target + 1
                with transaction.atomic():
                    for row in group:
                        row.save(update_fields=["state", "target"])

        return write

    return prepare


def _regulated(
    each: int, *, atomic: bool = True
) -> Callable[[int, random.Random], Callable[[], None]]:
    """Do the same through the record store: one record an act, its rows held to it."""

    def prepare(count: int, chance: random.Random) -> Callable[[], None]:
        from audit import api as audit
        from tests.benchmarks.rivals.models import RegulatedOrder

        actor = audit.Actor("person", "018f3a52-7c11-7000-8000-000000000007", "Quinn Q. Reviewer")
        acts = count // (2 * each)
        rows = [
            [RegulatedOrder(**order(n * each + k, chance)) for k in range(each)]
            for n in range(acts)
        ]
        RegulatedOrder.objects.count()

        def write() -> None:
            for group in rows:
                save(group, actor, atomic=atomic)
                save(group, actor, change=True, atomic=atomic)

        return write

    return prepare


def save(group: list[Any], actor: Any, *, change: bool = False, atomic: bool = True) -> None:
    from django.db import transaction

    from audit import api as audit

    with (
        transaction.atomic() if atomic else nullcontext(),
        audit.act(
            stream="batch/B-0001",
            kind="twin_core.recommendation.approved",
            actor=actor,
            reason=REASON,
        ) as act,
    ):
        for row in group:
            if change:
                act.change(row, state="confirmed", target=row.target + 1)
            else:
                act.create(row)


VARIANTS: dict[str, Callable[[int, random.Random], Callable[[], None]]] = {
    "raw": raw,
    "raw_copy": raw_copy,
    "append": append,
    "plain_1": _rival("PlainOrder", 1),
    "pghistory_1": _rival("PghistoryOrder", 1),
    "auditlog_1": _rival("AuditlogOrder", 1),
    "simple_history_1": _rival("SimpleHistoryOrder", 1),
    "regulated_1": _regulated(1),
    "act_1": _regulated(1, atomic=False),
    "pghistory_10": _rival("PghistoryOrder", 10),
    "act_10": _regulated(10, atomic=False),
    "append_many": append_many,
    "paced": paced,
}


def main(variant: str, count: str, seed: str) -> None:
    django.setup()
    write = VARIANTS[variant](int(count), random.Random(int(seed)))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    before = time.process_time()
    write()
    json.dump({"cpu": time.process_time() - before}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
