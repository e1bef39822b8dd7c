"""A site of its own for tests of loss: database, keys and ledger in a folder to be deleted."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import connections, transaction

from audit import api, keys
from audit.outside import Outside
from audit.sealer import Sealer
from twin_core.supervisor import database
from twin_core.supervisor.backup.archive import Archiver
from twin_core.supervisor.backup.restoring import serving
from twin_core.supervisor.folder import DataFolder
from twin_core.supervisor.services import Services

NOTHING = {"TWIN_REDIS_URL": "redis://none"}  # no queue: it holds nothing that is backed up


class SmallSite:
    """PostgreSQL and the ledger of one data folder; no process but the server runs."""

    def __init__(self, path: Path) -> None:
        self.folder = DataFolder(path)
        self.services = Services(self.folder, dict(NOTHING))

    @property
    def origin(self) -> str:
        return self.services.secrets.ledger_origin

    @property
    def outside(self) -> Outside:
        return Outside(self.folder.path / "checkpoints")

    @property
    def postgres(self) -> Any:
        assert self.services.postgres is not None
        return self.services.postgres

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Run the server; gives the administrator's address."""
        with serving(self.postgres) as url:
            try:
                yield url
            finally:
                connections.close_all()

    def initialise(self, url: str) -> None:
        database.initialise(url, self.services.variables(), verbosity=0)

    @contextlib.contextmanager
    def acting(self, role: str) -> Iterator[None]:
        """Work as a role of a process, or as twin_recovery over the administrator's address."""
        if role == "twin_recovery":
            url = self.postgres.url(database="postgres")
            with database.django_connected(url, database="twin", role=role):
                yield
            return
        variable = {
            "twin_application": "TWIN_DATABASE_URL",
            "twin_sealer": "TWIN_SEALER_DATABASE_URL",
        }
        url = self.services.variables()[variable[role]]
        with database.django_connected(url, database="twin"):
            yield

    def seal(self) -> int:
        with self.acting("twin_sealer"):
            key = keys.signing_key(self.folder.keys / "ledger.key")
            sealer = Sealer(key=key, origin=self.origin, outside=self.outside)
            sealed = sealer.seal()
            sealer.publish()
        return sealed

    def append(self, count: int = 1, **facts: Any) -> list[str]:
        """Commit records and return their ids: what was acknowledged."""
        with self.acting("twin_application"), transaction.atomic():
            made = [
                api.append(stream="test", kind="test.fact.noted", **facts) for _ in range(count)
            ]
        return [str(record.pk) for record in made]

    def archiver(self, store: Any, recipient: Any) -> Archiver:
        return Archiver(
            store,
            self.postgres.url(database="postgres"),
            self.folder.path / "spool",
            recipient,
            self.outside.folder,
        )


@contextlib.contextmanager
def new_place() -> Iterator[Path]:
    """Give a short path for folders of sites; sockets need one."""
    place = Path(tempfile.mkdtemp(prefix="twin-test-"))
    place.chmod(0o711)  # the server's account passes through to its part of the data folder
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
