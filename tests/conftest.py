"""Fixtures of the whole suite: the services, and databases to break.

`db` (pytest-django) rolls back; it connects as the application role. A test that commits asks for
`ledger_db`: a database of its own, dropped afterwards. Nothing is ever flushed: the database
refuses TRUNCATE, in tests too.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.services import SESSION, TestServices, django_on

SERVICES = TestServices()
for name in [
    n for n in os.environ if n.startswith("TWIN_") and n != "TWIN_TEST_DATABASE_ADMIN_URL"
]:
    del os.environ[name]  # the developer's own installation is not the suite's business
os.environ.update(SERVICES.environment(SESSION), TWIN_PROCESS="tests")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "twin_core.config.settings")


def pytest_configure(config: pytest.Config) -> None:
    """Load the settings now, so that pytest-django sets Django up with the variables above."""
    from django.conf import settings

    assert settings.SECRET_KEY


@pytest.fixture(scope="session")
def services(django_db_blocker: Any) -> Iterator[TestServices]:
    """The running PostgreSQL (with a migrated template database) and Valkey."""
    with django_db_blocker.unblock():
        context = SERVICES.running()
        context.__enter__()
    yield SERVICES
    with django_db_blocker.unblock():
        context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def django_db_setup(services: TestServices) -> Iterator[None]:
    """Replace pytest-django's: one clone of the template for all tests that roll back."""
    services.clone(SESSION)
    yield


@pytest.fixture
def ledger_db(services: TestServices, django_db_blocker: Any) -> Iterator[str]:
    """A database of this test alone, to commit to; Django is connected to it. Returns its name."""
    name = services.clone()
    with django_db_blocker.unblock(), django_on(name):
        yield name
    services.drop(name)


@pytest.fixture
def as_role(
    services: TestServices, ledger_db: str
) -> Iterator[Callable[[str], "psycopg.Connection[Any]"]]:
    """Connect to this test's database by psycopg as superuser, owner, application, sealer, ..."""
    opened: list[psycopg.Connection[Any]] = []

    def connect(role: str) -> "psycopg.Connection[Any]":
        opened.append(services.connect(role, ledger_db))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture(scope="session")
def valkey(services: TestServices) -> str:
    """The address of the session's Valkey."""
    return services.environment()["TWIN_REDIS_URL"]
