"""The guards on record, looked at by a process that may only write records."""

from datetime import timedelta
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit import api, trail_pages
from audit.guards import standing
from audit.guards.fingerprints import Difference
from audit.models import Blob, Record

OFF = "ALTER TABLE audit_block DISABLE TRIGGER audit_block_keep"
ON = "ALTER TABLE audit_block ENABLE ALWAYS TRIGGER audit_block_keep"


def kinds() -> list[str]:
    told = Record.objects.filter(stream=standing.STREAM).order_by("id")
    return [kind.rpartition(".")[2] for kind in told.values_list("kind", flat=True)]


def committed(as_role: Any, statement: str) -> None:
    with as_role("superuser") as session:
        session.execute(statement)


@pytest.mark.requirement("URS-AUD-051")
def test_what_is_expected_is_on_record_with_the_whole_list_and_the_software(expected):
    told = api.content(Record.objects.get(kind=standing.RECORDED))
    facts = standing.facts_of(Record.objects.get(kind=standing.RECORDED))
    assert told["data"]["facts"] == len(facts) > 500
    assert told["actor"]["kind"] == "os_user"
    assert told["source"]["software"] == api.software()
    assert Blob.objects.filter(digest=told["blobs"][0]).exists()


@pytest.mark.requirement("URS-AUD-051")
def test_the_first_look_of_a_process_is_on_record_and_the_next_ones_are_quiet(expected):
    watch = standing.Watch()
    assert watch.look().state == "intact"
    watch.look()
    assert kinds() == ["recorded", "confirmed"]
    standing.Watch().look()
    assert kinds() == ["recorded", "confirmed", "confirmed"]


@pytest.mark.requirement("URS-AUD-051")
def test_a_look_an_hour_is_on_record(expected):
    watch = standing.Watch()
    watch.look()
    watch.told_at -= standing.HOUR
    watch.look()
    assert kinds() == ["recorded", "confirmed", "confirmed"]


@pytest.mark.requirement("URS-AUD-052")
def test_a_change_is_recorded_once_by_name_and_so_is_its_end(expected, as_role):
    watch = standing.Watch()
    watch.look()
    committed(as_role, OFF)
    found = [watch.look(), watch.look()]
    assert [one.state for one in found] == ["changed", "changed"]
    told = api.content(Record.objects.get(kind=standing.CHANGED))["data"]
    assert told["differences"][0]["fact"] == "trigger public.audit_block audit_block_keep"
    assert '"fires":"A"' in told["differences"][0]["before"]
    assert '"fires":"D"' in told["differences"][0]["after"]
    committed(as_role, ON)
    assert watch.look().state == "intact"
    assert kinds() == ["recorded", "confirmed", "changed", "restored"]


@pytest.mark.requirement("URS-AUD-052")
def test_a_process_that_starts_after_the_change_sees_it_too(expected, as_role):
    committed(as_role, OFF)
    assert standing.Watch().look().is_alarm
    assert standing.Watch().look().is_alarm
    assert kinds() == ["recorded", "changed", "changed"]


@pytest.mark.requirement("URS-AUD-052")
def test_the_trail_page_says_what_is_wrong(expected, as_role):
    standing.Watch().look()
    assert trail_pages._alarm() == ("", "")
    committed(as_role, OFF)
    standing.Watch().look()
    words, href = trail_pages._alarm()
    assert "trigger public.audit_block audit_block_keep has changed" in words
    assert str(Record.objects.get(kind=standing.CHANGED).pk) in href


@pytest.mark.requirement("URS-AUD-051")
def test_guards_that_nobody_has_looked_at_for_long_are_an_alarm(expected):
    standing.Watch().look()
    later = timezone.now() + standing.STALE + timedelta(seconds=1)
    assert standing.standing().state == "intact"
    assert standing.standing(later).state == "unwatched"


@pytest.mark.requirement("URS-AUD-051")
def test_without_an_expectation_there_is_an_alarm_and_the_way_out(ledger_db):
    found = standing.Watch().look()
    assert found.state == "unrecorded" and found.is_alarm
    assert "init_database" in str(found)


@pytest.mark.requirement("URS-AUD-051")
@pytest.mark.parametrize("role", ["application", "sealer", "gate"])
def test_only_the_owner_says_what_is_expected(ledger_db, as_role, role):
    payload = f'{{"kind":"{standing.RECORDED}","stream":"guards"}}'
    with pytest.raises(psycopg.errors.CheckViolation, match="guards_are_the_owners_to_expect"):
        as_role(role).execute(
            "INSERT INTO audit_record (stream, kind, payload) VALUES ('guards', %s, %s)",
            [standing.RECORDED, payload],
        )
    with pytest.raises(CommandError, match="only the owner"):
        call_command("record_guards", reason="to hide something", stdout=StringIO())


@pytest.mark.requirement("URS-AUD-051")
def test_a_change_that_the_owner_records_is_expected_from_then_on(services, expected, as_role):
    from twin_core.supervisor import database

    committed(as_role, "CREATE TABLE later (id integer)")
    watch = standing.Watch()
    assert watch.look().is_alarm
    database.record_guards(services.admin_url(), services.environment(expected), verbosity=0)
    assert not watch.look().is_alarm
    told = api.content(Record.objects.filter(kind=standing.RECORDED).latest("id"))
    assert "table public.later" in {one["fact"] for one in told["data"]["differences"]}


@pytest.mark.requirement("URS-AUD-051")
def test_recording_the_same_again_adds_nothing(services, expected):
    from twin_core.supervisor import database

    database.record_guards(services.admin_url(), services.environment(expected), verbosity=0)
    assert kinds() == ["recorded"]


@pytest.mark.requirement("URS-AUD-051")
def test_an_expectation_whose_list_was_altered_is_not_believed(expected, as_role):
    committed(
        as_role,
        "ALTER TABLE audit_blob DISABLE TRIGGER ALL; "
        "ALTER TABLE audit_blob DROP CONSTRAINT blob_is_its_digest; "
        "UPDATE audit_blob SET content = '{}'",
    )
    with pytest.raises(ValueError, match="damaged"):
        standing.Watch().look()


def test_an_act_of_retention_explains_a_partition_and_nothing_else(expected):
    since = Record.objects.get(kind=standing.RECORDED)
    fact = "partition public.audit_record_202601"
    gone = Difference(fact, {"of": "public.audit_record"}, None)
    closed = Difference(f"{fact}: trigger audit_record_closed", None, {"says": "..."})
    opened = Difference(f"{fact}: trigger audit_record_keep", {"says": "..."}, None)
    cases = (gone, closed, opened)
    assert [standing.is_explained(one, since=since) for one in cases] == [False] * 3
    with transaction.atomic():
        for act in standing.RETENTION:
            api.append(stream="retention", kind=act, data={"month": "2026-01"})
    explained = [standing.is_explained(one, since=since) for one in cases]
    assert explained == [True, True, False]


def test_the_database_refuses_what_is_expected_from_a_process_through_the_service(ledger_db):
    with pytest.raises(IntegrityError), transaction.atomic():
        api.append(stream="guards", kind=standing.RECORDED)
