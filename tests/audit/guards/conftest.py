"""A database of a test's own whose guards are on record, as after ``init_database``."""

from typing import Any

import pytest

from twin_core.supervisor import database


@pytest.fixture
def expected(services: Any, ledger_db: str) -> str:
    """Record the guards of this test's database as expected; returns its name."""
    database.record_guards(services.admin_url(), services.environment(ledger_db), verbosity=0)
    return ledger_db
