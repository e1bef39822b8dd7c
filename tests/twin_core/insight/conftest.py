"""A twin at work on a recorded culture, as a database for each test."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.services import TestServices, django_on


@pytest.fixture(scope="session")
def played_db(services: TestServices, django_db_blocker: Any) -> Iterator[str]:
    """A database with BR-201, its version in force, and a batch that has come to 98 h."""
    from tests.twin_core.insight import played

    name = services.clone()
    with django_db_blocker.unblock(), django_on(name):
        played.play(played.site())
    yield name
    services.drop(name)


@pytest.fixture(scope="session")
def forecast_db(services: TestServices, played_db: str, django_db_blocker: Any) -> Iterator[str]:
    """The same database after an estimate and its forecast, before any advice."""
    from tests.twin_core.insight import played

    name = services.clone(template=played_db)
    with django_db_blocker.unblock(), django_on(name):
        played.forecast_made(played.batch())
    yield name
    services.drop(name)


@pytest.fixture
def batch(services: TestServices, played_db: str, django_db_blocker: Any) -> Iterator[Any]:
    """The running batch, nothing computed yet."""
    from tests.twin_core.insight import played

    name = services.clone(template=played_db)
    with django_db_blocker.unblock(), django_on(name):
        yield played.batch()
    services.drop(name)


@pytest.fixture
def forecast(services: TestServices, forecast_db: str, django_db_blocker: Any) -> Iterator[Any]:
    """A decided forecast that nothing was advised from yet."""
    from tests.twin_core.insight import played

    name = services.clone(template=forecast_db)
    with django_db_blocker.unblock(), django_on(name):
        yield played.newest_forecast()
    services.drop(name)
