"""What a person and a program are told when something on our side fails."""

import pytest
from django.db import OperationalError
from django.test import Client

from audit import sessions


@pytest.fixture
def broken(ledger_db, monkeypatch):
    """Make each request fail in the given way before any view is reached."""

    def fail_with(error: Exception) -> Client:
        def fail(*_, **__):
            raise error

        monkeypatch.setattr(sessions, "end_over", fail)
        monkeypatch.setattr("twin_core.config.sessions.check", fail)
        return Client(raise_request_exception=False)

    return fail_with


@pytest.mark.requirement("URS-WEB-008")
def test_a_silent_database_is_a_page_that_says_so_and_asks_again(broken):
    answer = broken(OperationalError("connection to 10.0.0.7 refused")).get("/people/")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    page = answer.content.decode()
    assert "Nothing that was confirmed is lost" in page
    assert "10.0.0.7" not in page


@pytest.mark.requirement("URS-WEB-008")
@pytest.mark.parametrize(
    ("error", "status"), [(OperationalError("10.0.0.7"), 503), (ValueError("10.0.0.7"), 500)]
)
def test_programs_get_a_problem_document_without_details(broken, error, status):
    answer = broken(error).get("/api/people/")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["what_to_do"]
    assert "10.0.0.7" not in answer.content.decode()


def test_a_fault_of_ours_says_to_look_at_the_trail_before_repeating(broken):
    answer = broken(ValueError("secret detail")).get("/people/")
    assert answer.status_code == 500
    assert "look at the trail" in answer.content.decode()
    assert "secret detail" not in answer.content.decode()
