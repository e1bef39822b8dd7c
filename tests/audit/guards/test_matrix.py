"""Every table that is not known to be open is guarded, against every role and the owner too."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.audit.guards import matrix

pytestmark = pytest.mark.requirement("URS-AUD-050")


@pytest.fixture(scope="module")
def at_work(services: Any, filled: Any) -> Iterator[str]:
    """A copy of an installation with rows in most tables."""
    name = services.clone(template=filled[0])
    yield name
    services.drop(name)


@pytest.fixture
def connect(services: Any, at_work: str) -> Iterator[Any]:
    opened: list[psycopg.Connection[Any]] = []

    def open_as(role: str) -> psycopg.Connection[Any]:
        session = services.connect(role, at_work)
        session.autocommit = True
        session.execute("SET lock_timeout = '5s'")
        opened.append(session)
        return session

    yield open_as
    for session in opened:
        session.close()


def test_each_table_has_a_trigger_against_update_delete_and_truncate(connect):
    assert matrix.unguarded(connect("superuser")) == {}


def test_a_new_table_without_guards_is_seen(connect):
    owner = connect("superuser")
    with owner.transaction(force_rollback=True):
        owner.execute("CREATE TABLE side_door (id integer PRIMARY KEY, facts text)")
        assert matrix.unguarded(owner) == {"side_door": ["DELETE", "UPDATE", "TRUNCATE"]}


def test_each_table_that_is_called_open_exists(connect):
    named = connect("superuser").execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    )
    assert set(matrix.OPEN) <= {name for (name,) in named.fetchall()}


@pytest.mark.parametrize("role", matrix.ROLES)
def test_no_role_changes_removes_or_copies_a_row_without_its_record(connect, role):
    eye, session = connect("superuser"), connect(role)
    done = list(matrix.attempts(eye, session, on=matrix.tables(eye)))
    assert len(done) > 200
    assert [attempt for attempt in done if attempt[2]] == []


def test_the_owner_and_a_superuser_meet_the_triggers_where_there_are_rows(connect):
    for who in ("owner", "superuser"):
        eye, session = connect("superuser"), connect(who)
        filled = [table for table in matrix.tables(eye) if matrix.has_rows(eye, table)]
        verbs = {"UPDATE", "DELETE", "TRUNCATE", "TRUNCATE CASCADE"}
        for table, verb, succeeded in matrix.attempts(eye, session, on=filled):
            assert not (succeeded and verb in verbs), f"{who}: {verb} on {table}"
        assert len(filled) > 15
