"""Servers of a test's own for the faults of the store."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.audit.conftest import ledger

__all__ = ["golden", "ledger", "store"]


@pytest.fixture(scope="session")
def golden(django_db_blocker: Any) -> Any:
    """A stopped cluster with roles and tables, to copy."""
    from tests.faults import clusters

    with django_db_blocker.unblock():
        return clusters.make_golden()


@pytest.fixture
def store(golden: Any, django_db_blocker: Any) -> Iterator[Any]:
    """This test's own server, not started yet."""
    from tests.faults import clusters

    made = clusters.Store(golden)
    with django_db_blocker.unblock():
        yield made
        made.discard()
