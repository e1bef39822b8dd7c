"""The pages for faults stand on nothing that may have failed."""

import pytest
from django.db import OperationalError
from django.test import RequestFactory

from twin_core.web import errors


def answer_to(error: Exception):
    try:
        raise error
    except type(error):
        return errors.failed(RequestFactory().get("/trail/"))


@pytest.mark.requirement("URS-WEB-026")
def test_a_database_that_is_away_is_said_and_asked_again():
    answer = answer_to(OperationalError("server closed the connection"))
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert b'data-retry="5"' in answer.content
    assert b"server closed" not in answer.content


@pytest.mark.requirement("URS-WEB-026")
def test_a_fault_of_ours_tells_no_details():
    answer = answer_to(ValueError("secret detail"))
    assert answer.status_code == 500
    assert b"secret detail" not in answer.content
    assert b"look at the trail" in answer.content
