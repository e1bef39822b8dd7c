"""A ledger with a past."""

from typing import Any

import pytest


@pytest.fixture
def decades(ledger: Any, as_role: Any, settings: Any, tmp_path: Any) -> Any:
    """A sealed ledger: three records of January 2015 and some of today; see ``old_months``."""
    from tests.audit.retention.old_months import OLD, Decades, note_now

    made = Decades(ledger, as_role, settings, tmp_path)
    note_now(2)
    made.keys = made.past(OLD, "batch/B-1", "test", "people", "batch/B-2")
    note_now(2)
    ledger.seal()
    made.lived("2015-02-05")
    return made
