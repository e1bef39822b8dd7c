"""Each way of switching the audit off changes the list of facts, and is called by its name."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from audit.guards import fingerprints
from audit.guards.fingerprints import Difference, differences, facts_of
from tests.audit.guards.changes import CHANGES, Change, written
from tests.services import django_on

pytestmark = pytest.mark.requirement("URS-AUD-052")
HEIR = {"of": "public.parent", "bound": "FOR VALUES IN (1)", "leaving": False}


@pytest.fixture(scope="module")
def guarded(services: Any, django_db_blocker: Any) -> Iterator[str]:
    """A database for this module; Django is on it as its superuser, and nothing is committed."""
    from urllib.parse import urlsplit

    name = services.clone()
    login = {"USER": urlsplit(services.admin_url()).username or "postgres", "PASSWORD": ""}
    with django_db_blocker.unblock(), django_on(name, **login):
        yield name
    services.drop(name)


def months(cursor: Any) -> dict[str, str]:
    cursor.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits "
        "WHERE inhparent = 'audit_record'::regclass ORDER BY 1"
    )
    found = [name.rpartition("_")[2] for (name,) in cursor.fetchall()]
    return {"month": found[0], "last": found[-1]}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_change_is_named(guarded: str, change: Change):
    before = fingerprints.take()
    with transaction.atomic(), connection.cursor() as cursor:
        places = {**months(cursor), "database": guarded}
        cursor.execute(written(change.do, **places))
        found = [str(one) for one in differences(before, fingerprints.take())]
        transaction.set_rollback(True)
    expected = written(change.names, **places)
    assert any(one.startswith(expected) for one in found), found


def test_a_month_made_ahead_is_no_difference(guarded: str):
    before = fingerprints.take()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT ledger_make_partitions(6)")
        after = fingerprints.take()
        transaction.set_rollback(True)
    assert len(after) == len(before) + 4
    assert differences(before, after) == []


def test_two_looks_give_the_same_bytes(guarded: str):
    assert fingerprints.encode(fingerprints.take()) == fingerprints.encode(fingerprints.take())


def partition(name: str, **facts: Any) -> list[tuple[str, str, str, Any]]:
    return [
        ("heir", f"public.{name}", "", HEIR),
        *(("trigger", f"public.{name}", key, f"{says} on {name}") for key, says in facts.items()),
    ]


def test_a_new_partition_of_another_shape_names_what_it_lacks():
    expected = facts_of(partition("p1", keep="kept"))
    found = facts_of([*partition("p1", keep="kept"), *partition("p2")])
    assert [str(one) for one in differences(expected, found)] == [
        "partition public.p2 is new",
        "partition public.p2: trigger keep is gone",
    ]


def test_partitions_of_one_shape_share_their_pattern():
    facts = facts_of([*partition("p1", keep="kept"), *partition("p2", keep="kept")])
    assert len([fact for fact in facts if fact.startswith("pattern")]) == 1


def test_a_difference_tells_what_was_and_what_is():
    (one,) = differences({"table a": 1}, {"table a": 2})
    assert one == Difference("table a", 1, 2)
