"""Fixtures of the connector's tests."""

from typing import Any

import pytest


@pytest.fixture
def asset(ledger_db: str) -> Any:
    """BR-201 with its files signed."""
    from tests.audit.people import enter
    from tests.twin_core import factories

    return factories.equipment("BR-201", enter("quinn", "qa_reviewer").user)
