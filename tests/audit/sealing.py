"""A sealer for tests: in this process, on this test's database, as the sealer's role."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings

from audit import checkpoint, verification
from audit.outside import Outside
from audit.recovery.differences import SeenElsewhere
from audit.sealer import Sealer
from tests.services import TestServices, django_on

ROOT = Path(__file__).resolve().parents[2]
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


@contextmanager
def sealing_process(ledger: Ledger, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the product's sealer, a process with its own login, on the test's ledger and its key."""
    key = folder / "sealing.key"
    key.write_bytes(ledger.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)
    variables = ledger.services.environment(ledger.name)
    environment = {
        **os.environ,
        **variables,
        "TWIN_DATABASE_URL": variables["TWIN_SEALER_DATABASE_URL"],
        "TWIN_CHECKPOINT_DIR": str(ledger.outside.folder),
        "TWIN_LEDGER_ORIGIN": ORIGIN,
        "TWIN_LEDGER_KEY_FILE": str(key),
        "TWIN_LEDGER_PUBLIC_KEY_FILE": str(settings.LEDGER_PUBLIC_KEY_FILE),
        "TWIN_PROCESS": "sealer",
    }
    command = [sys.executable, "manage.py", "run_sealer"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as sealer:
        try:
            assert sealer.stdout is not None
            assert "sealing" in sealer.stdout.readline()
            yield sealer
        finally:
            sealer.terminate()
            sealer.wait(timeout=30)
