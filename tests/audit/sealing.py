"""A sealer for tests: in this process, on this test's database, as the sealer's role."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import checkpoint, verification
from audit.outside import Outside
from audit.recovery.differences import SeenElsewhere
from audit.sealer import Sealer
from tests.services import TestServices, django_on

ORIGIN = "localhost/ledger/test"


class Ledger:
    """One test's ledger: seal it, verify it, rewrite it."""

    def __init__(self, services: TestServices, name: str, folder: Path) -> None:
        self.services, self.name = services, name
        self.key = Ed25519PrivateKey.generate()
        self.outside = Outside(folder)

    @property
    def keys(self) -> list[checkpoint.PublicKey]:
        return [checkpoint.public_key(ORIGIN, self.key)]

    @contextmanager
    def as_sealer(self) -> Iterator[None]:
        url = urlsplit(self.services.environment(self.name)["TWIN_SEALER_DATABASE_URL"])
        login = {"USER": unquote(url.username or ""), "PASSWORD": unquote(url.password or "")}
        with django_on(self.name, **login):
            yield

    def sealer(self, others: Sequence[SeenElsewhere] = ()) -> Sealer:
        return Sealer(key=self.key, origin=ORIGIN, outside=self.outside, others=others)

    def seal(self) -> int:
        """Start a sealer, seal what is there, publish a checkpoint, and stop."""
        with self.as_sealer():
            sealer = self.sealer()
            sealed = sealer.seal()
            sealer.publish()
        return sealed

    def verify(self) -> verification.Verification:
        return verification.verify(keys=self.keys, outside=self.outside.all())
