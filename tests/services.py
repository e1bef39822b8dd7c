"""The services that the suite runs on: a PostgreSQL and a Valkey in a folder of their own.

Without more said the suite starts the embedded ones. With TWIN_TEST_DATABASE_ADMIN_URL (a
superuser's address of a server **set aside for tests**: the twin's roles get new passwords there)
it uses that server instead. A TWIN_* of the developer's own installation is never touched.
"""

import atexit
import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from django.db import connections
from psycopg import sql

from twin_core.config.environment import database_settings
from twin_core.supervisor import database
from twin_core.supervisor.folder import DataFolder
from twin_core.supervisor.postgres import Postgres
from twin_core.supervisor.roles import MLFLOW, OWNER, ROLES
from twin_core.supervisor.services import Services, running

ADMIN = "TWIN_TEST_DATABASE_ADMIN_URL"
RUN = secrets.token_hex(3)  # tells apart two suites on one server
TEMPLATE, SESSION = f"twin_template_{RUN}", f"twin_session_{RUN}"
ROLE_OF = {role.name.removeprefix("twin_"): role for role in ROLES}


def fresh_folder() -> DataFolder:
    """Return a new data folder with a short path, removed when the interpreter ends."""
    place = Path(tempfile.mkdtemp(prefix="twin-test-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return DataFolder(place)


class TestServices:
    """What the session's fixtures share; nothing is started before ``running``."""

    __test__ = False

    def __init__(self) -> None:
        self.services = Services(fresh_folder(), self._given())
        self.clones = 0

    def _given(self) -> dict[str, str]:
        server = os.environ.get(ADMIN)
        if server is None:
            return {}
        urls = {
            role.variable: replace_login(server, role.name, secrets.token_urlsafe(32), name)
            for role, name in [*((r, TEMPLATE) for r in ROLES), (MLFLOW, f"twin_mlflow_{RUN}")]
        }
        return urls | {"TWIN_DATABASE_ADMIN_URL": server}

    def environment(self, name: str = TEMPLATE) -> dict[str, str]:
        """Return the TWIN_* variables that lead to the database ``name``."""
        variables = self.services.variables(name)
        variables.pop("TWIN_DATABASE_ADMIN_URL", None)
        for role in ROLES:
            url = variables[role.variable]
            variables[role.variable] = url.replace(f"/{TEMPLATE}", f"/{name}", 1)
        return variables

    def admin_url(self) -> str:
        return self.services.admin_url() or os.environ[ADMIN]

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        with running(self.services):
            database.initialise(self.admin_url(), self.environment(), verbosity=0)
            try:
                yield
            finally:
                self._clean_up()

    def _clean_up(self) -> None:
        connections.close_all()
        if self.services.postgres is None:
            for name in (SESSION, TEMPLATE, f"twin_mlflow_{RUN}"):
                self.drop(name)

    def clone(self, name: str | None = None, *, template: str = TEMPLATE) -> str:
        """Make a fresh database from a template, to which nobody is connected; return its name."""
        self.clones += 1
        name = name or f"twin_clone_{RUN}_{self.clones}"
        with database.connect(self.admin_url()) as server:
            server.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                    sql.Identifier(name), sql.Identifier(template), sql.Identifier(OWNER)
                )
            )
            database.close_database(server, name, list(ROLES))  # a copy takes no database grants
        return name

    def drop(self, name: str) -> None:
        with database.connect(self.admin_url()) as server:
            server.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def connect(self, role: str, name: str) -> psycopg.Connection[Any]:
        """Connect as superuser, owner, recovery, application, ... (not autocommit)."""
        if role in {"superuser", "owner", "recovery"}:
            connection = database.connect(self.admin_url(), name)
            if role != "superuser":
                connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(f"twin_{role}")))
            connection.autocommit = False
            return connection
        return psycopg.connect(self.environment(name)[ROLE_OF[role].variable])


def replace_login(url: str, role: str, password: str, name: str) -> str:
    """Return the address of the same server for another role and database."""
    settings = database_settings(ADMIN, url)
    address = f"postgresql://{role}:{password}@{settings['HOST']}:{settings['PORT'] or 5432}/{name}"
    if settings["HOST"].startswith("/"):
        address = f"postgresql://{role}:{password}@/{name}?host={settings['HOST']}"
    return address


@contextlib.contextmanager
def django_on(name: str, **login: str) -> Iterator[None]:
    """Point Django's default connection, in every thread, at the database ``name``.

    ``login`` may give USER and PASSWORD of another role.
    """
    settings = connections["default"].settings_dict  # one dictionary for all threads
    before = {key: settings[key] for key in ("NAME", *login)}
    connections["default"].close()
    settings.update(NAME=name, **login)
    try:
        yield
    finally:
        connections["default"].close()
        settings.update(before)


__all__ = ["OWNER", "SESSION", "TEMPLATE", "Postgres", "TestServices", "django_on", "fresh_folder"]
