"""Waiting for the database ends in time, and only where a time was set."""

import pytest
from django.db import OperationalError, connection

from audit import api
from audit.outcomes import deadline

pytestmark = pytest.mark.requirement("URS-AUD-067")


def slow(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


def test_a_statement_that_takes_longer_than_allowed_is_given_up(ledger_db):
    connection.ensure_connection()
    with api.answers_within(0.2), pytest.raises(OperationalError, match="did not answer in time"):
        slow(30)
    connection.close_if_unusable_or_obsolete()  # as Django does after each request
    slow(0)


def test_without_a_deadline_or_within_it_nothing_is_given_up(ledger_db):
    slow(0.3)
    with api.answers_within(30):
        slow(0.3)
        assert not deadline.is_over()
    assert not deadline.is_over()


def test_an_error_of_the_server_within_the_time_stays_what_it_is(ledger_db):
    with (
        api.answers_within(30),
        pytest.raises(Exception, match="division by zero"),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT 1 / 0")


def test_an_inner_deadline_ends_with_its_block(ledger_db):
    with api.answers_within(30):
        with api.answers_within(0.0):
            assert deadline.is_over()
        assert not deadline.is_over()
