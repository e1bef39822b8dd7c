"""The record store refuses, or nobody can reach it: nothing is changed that is not on record."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from audit import api
from audit.models import Record, User
from tests.audit.guards import matrix
from twin_core.models import Batch, Forecast, LabResult, OutboxTask

FAIL = (
    "CREATE FUNCTION fail_here() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN RAISE EXCEPTION ''the record store refuses''; END'; "
    "CREATE TRIGGER fail_here BEFORE INSERT ON audit_record FOR EACH STATEMENT "
    "EXECUTE FUNCTION fail_here()"
)
GIVEN = {  # what any form of ours asks for; each takes what it knows
    "reason": "a probe",
    "reason_code": "other",
    "meaning": "approval",
    "question": "what if?",
    "answer": "then so",
    "value": "14.2",
    "tag": "glucose",
    "sampled_h": "165",
    "new-username": "nova",
    "new-printed_name": "Nova Example",
    "new-reason": "a probe",
    "grant-role": "auditor",
    "grant-reason": "a probe",
    "revoke-role": "qa_reviewer",
    "revoke-reason": "a probe",
    "activity-reason": "a probe",
    "username": "anna",
}
PEOPLE = ("administrator", "engineer", "reviewer", "approver")


def patterns(
    found: Any = None, before: str = "", space: str = ""
) -> Iterator[tuple[str, str, URLPattern]]:
    """Yield (name, route, pattern) of every address of the product."""
    for one in (found or get_resolver()).url_patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from patterns(one, route, one.namespace or space)
        else:
            yield f"{space}:{one.name}", route, one


def address(route: str, desk: Any) -> str:
    """Return a real address for a route: each part names something that is there."""
    things: dict[str, Any] = {
        "people": User.objects.get(username=desk.site.user("reviewer").username).pk,
        "recommendations": desk.feed.pk,
        "results": LabResult.objects.first().pk if LabResult.objects.exists() else UUID(int=7),
        "forecasts": getattr(Forecast.objects.first(), "pk", UUID(int=7)),
        "records": Record.objects.first().pk,
        "batches": desk.batch.number,
        "parked": getattr(OutboxTask.objects.first(), "pk", 1),
        "outbox": getattr(OutboxTask.objects.first(), "pk", 1),
    }
    parts: list[str] = []
    for part in route.replace("^", "").replace("$", "").replace("\\Z", "").split("/"):
        if "<" in part:
            kind = "".join(parts[-1:])
            fallback = "specify" if "slug" in part or "str" in part else UUID(int=7)
            value = things.get(kind, 1 if "int:" in part else fallback)
            parts.append(str(value))
        else:
            parts.append(part)
    return "/" + "/".join(parts)


def snapshot(eye: Any, tables: list[str]) -> dict[str, str]:
    return {
        table: eye.execute(
            f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t"
        ).fetchone()[0]
        for table in tables
    }


@pytest.mark.requirement("URS-AUD-002")
@pytest.mark.fault("STO-21")
def test_where_no_record_can_be_written_nothing_is_changed(campaign, desk, services):
    eye = services.connect("superuser", desk.name)
    eye.autocommit = True
    clients = {who: desk.client(who, raise_request_exception=False) for who in PEOPLE}
    signing = desk.signing("reviewer", desk.feed)
    addresses = {name: address(route, desk) for name, route, _ in patterns() if "(?P" not in route}
    eye.execute("SET event_triggers = off")  # the act itself would be refused without its record
    eye.execute(FAIL)
    tables = [table for table in matrix.tables(eye) if table != "audit_record"]
    before, changed, reached, answered = snapshot(eye, tables), 0, set(), set()
    for name, path in addresses.items():
        for client in clients.values():
            answer = client.post(path, {**GIVEN, **signing})
            answered.add(name)
            if answer.status_code >= 500:
                reached.add(name)
        now = snapshot(eye, tables)
        changed += now != before
        before = now
    eye.close()
    assert len(reached) > 10, f"few acts came as far as the record: {sorted(reached)}"
    campaign.saw(
        changes_without_audit=changed, endpoints_covered_share=len(answered) / len(addresses)
    )


# ---------------------------------------------------------------------- STO-23
POOL, USERS, IDLE = 4, 50, 2.0  # connections, people at once, seconds a holder may stand idle


@pytest.fixture
def pooled(desk: Any) -> Iterator[Any]:
    """The installation, its web's connections in a pool as small as can be."""
    default = connections["default"]
    options = dict(default.settings_dict["OPTIONS"])
    ages = default.settings_dict["CONN_MAX_AGE"]
    default.close()
    pool = {"min_size": 1, "max_size": POOL, "timeout": 0.5}
    default.settings_dict["OPTIONS"] = {**options, "pool": pool}
    default.settings_dict["CONN_MAX_AGE"] = 0
    yield desk
    default.close()
    default.close_pool()
    default.settings_dict["OPTIONS"] = options
    default.settings_dict["CONN_MAX_AGE"] = ages


def hold(held: threading.Barrier) -> str | None:
    """Open a transaction that has written, and forget it until the server ends it."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"SET LOCAL idle_in_transaction_session_timeout = '{int(IDLE * 1000)}ms'"
            )
            api.append(stream="held", kind="tests.transaction.held")
            held.wait(timeout=30)
            time.sleep(2 * IDLE)
        return "committed"
    except Exception as ended:
        return str(ended)
    finally:
        connection.close()


def ask(cookies: dict[str, str]) -> int:
    client = Client(raise_request_exception=False)
    for name, value in cookies.items():
        client.cookies[name] = value
    try:
        return client.get("/api/recommendations/").status_code
    finally:
        connection.close()


@pytest.mark.requirement("URS-AUD-058")
@pytest.mark.fault("STO-23")
def test_connections_held_open_give_an_answer_to_repeat_and_come_back(campaign, pooled):
    others, slowest, lost = 0, 0.0, 0
    client = pooled.client("reviewer")
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    for _ in range(campaign.runs):
        with transaction.atomic():
            acknowledged = api.append(stream="held", kind="tests.thing.acknowledged")
        connection.close()
        held = threading.Barrier(POOL)  # the holders, and this thread
        with ThreadPoolExecutor(POOL - 1) as holders, ThreadPoolExecutor(USERS) as people:
            waiting = [holders.submit(hold, held) for _ in range(POOL - 1)]
            held.wait(timeout=30)
            began = time.monotonic()
            statuses = list(people.map(ask, [cookies] * USERS))
            others += sum(status >= 500 and status != 503 for status in statuses)
            while ask(cookies) != 200 and time.monotonic() - began < 60:
                time.sleep(0.1)
            ended = [one.result() for one in waiting]
            while set(people.map(ask, [cookies] * POOL)) != {200}:
                assert time.monotonic() - began < 90, "it did not recover"
            slowest = max(slowest, time.monotonic() - began)
        assert "committed" not in ended
        lost += not Record.objects.filter(pk=acknowledged.pk).exists()
        assert not Record.objects.filter(kind="tests.transaction.held").exists()
    campaign.saw(lost_acked=lost, error_5xx_other_than_503=others, recover_s=slowest)
    assert Batch.objects.exists()
