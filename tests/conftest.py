"""Fixtures of the whole suite: the services, and databases to break.

`db` (pytest-django) rolls back; it connects as the application role. A test that commits asks for
`ledger_db`: a database of its own, dropped afterwards. Nothing is ever flushed: the database
refuses TRUNCATE, in tests too.
"""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests import chromium
from tests.services import SESSION, TestServices, django_on

JOURNEYS_MISSED = pytest.StashKey[bool]()
SERVICES = TestServices()
for name in [
    n for n in os.environ if n.startswith("TWIN_") and n != "TWIN_TEST_DATABASE_ADMIN_URL"
]:
    del os.environ[name]  # the developer's own installation is not the suite's business
os.environ.update(SERVICES.environment(SESSION), TWIN_PROCESS="tests")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "twin_core.config.settings")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--without-browser", action="store_true", help="leave the journeys in a browser out"
    )
    parser.addoption(
        "--campaign",
        type=float,
        metavar="SHARE",
        help="inject each fault as often as the catalogue says, times SHARE, and keep the results",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs Chromium when there is none, and remember that it was wanted.

    A campaign takes as long as it takes: no test of it has a limit.
    """
    if config.getoption("--campaign") is not None:
        for item in items:
            item.add_marker(pytest.mark.timeout(0), append=False)
    journeys = [item for item in items if item.get_closest_marker("browser")]
    wanted = not config.getoption("--without-browser")
    if wanted and chromium.find() is not None:
        return
    for item in journeys:
        item.add_marker(pytest.mark.skip(reason="without a browser"))
    config.stash[JOURNEYS_MISSED] = wanted and bool(journeys)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if session.config.stash.get(JOURNEYS_MISSED, False) and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say last of all that the journeys were not run."""
    if config.stash.get(JOURNEYS_MISSED, False):
        sys.stdout.write(f"{chromium.NOT_RUN}\n")


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


@pytest.fixture(scope="session")
def filled(services: Any, django_db_blocker: Any) -> Iterator[tuple[str, Any]]:
    """A database with people, two running batches and two open recommendations, and its site."""
    from tests.services import django_on
    from tests.twin_core.desk import desk as installation

    name = services.clone()
    with django_db_blocker.unblock(), django_on(name):
        made = installation()
    yield name, made
    services.drop(name)


@pytest.fixture
def desk(services: Any, filled: tuple[str, Any], django_db_blocker: Any) -> Iterator[Any]:
    """That installation as this test's own; see ``tests.twin_core.desk``. Django is on it."""
    from tests.services import django_on

    name = services.clone(template=filled[0])
    with django_db_blocker.unblock(), django_on(name):
        yield filled[1].fresh(name)
    services.drop(name)


@pytest.fixture
def campaign(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The fault that this test injects: how often, and the judge of what was seen."""
    from tests.faults import campaign as campaigns

    ids = [str(id) for mark in request.node.iter_markers("fault") for id in mark.args]
    share = request.config.getoption("--campaign")
    made = campaigns.of(ids, is_full=share is not None, share=share or 1.0)
    yield made
    assert made.judged, f"{made.fault.id}: the test ended without saying what it saw"
