"""The whole demonstration in a folder of its own, as ``make demo`` runs it, at the headless pace.

The processes are those of the product; a test looks at them from outside: over HTTP, into the
files of the data folder, and into the database as the application role.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import psycopg
import pyotp

from tests.services import fresh_folder
from twin_core.supervisor import envfile, status
from twin_core.supervisor.demonstration import HEADLESS_PACE
from twin_core.supervisor.folder import DataFolder
from twin_core.supervisor.roster import CHECKOUT
from twin_core.supervisor.status import State

if TYPE_CHECKING:
    from twin_core.supervisor.people import Secrets

STEP = 30  # seconds for which a one-time code is shown
STARTED_WITHIN = 240.0  # seconds for all processes and the signatures of the set-up
AWAY = (OSError, psycopg.Error, httpx.TransportError)  # a service that is down for a moment
Found = TypeVar("Found")


def eventually(look: Callable[[], Found], *, within: float, what: str, every: float = 0.5) -> Found:
    """Return the first true answer of ``look``; a service that is away is asked again."""
    deadline = time.monotonic() + within
    while True:
        with contextlib.suppress(*AWAY):
            if found := look():
                return found
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what}"
        time.sleep(every)


class CodeCard:
    """A person's authenticator that never gives a code twice."""

    def __init__(self, secret: str) -> None:
        self._codes = pyotp.TOTP(secret)
        self._used = 0  # time step of the last code given

    def code(self, *, after: int = 0, ahead: bool = False) -> str:
        """Return a code later than all before (and than step ``after``) once it is accepted.

        The code of the next step is accepted too, as a person's clock may be ahead: ``ahead``
        prefers it.
        """
        step = max(self._used, after) + 1
        step = max(step, int(time.time()) // STEP + ahead)
        time.sleep(max(0.0, (step - 1) * STEP - time.time() + 0.5))
        self._used = step
        return str(self._codes.generate_otp(step))

    def same_code(self) -> str:
        """Return the code that was given last."""
        return str(self._codes.generate_otp(self._used))


class Demonstration:
    """A running demonstration: its address, its folder and its people."""

    def __init__(self, folder: DataFolder, process: "subprocess.Popen[bytes]") -> None:
        self.folder = folder
        self.process = process
        self._cards: dict[str, CodeCard] = {}

    @property
    def address(self) -> str:
        return self.folder.address.read_text(encoding="utf-8").strip()

    def variables(self) -> dict[str, str]:
        return envfile.read(self.folder)

    def people(self) -> "Mapping[str, Secrets]":
        from twin_core.supervisor import people  # Django's applications are loaded by now

        return people.load(self.folder.path)

    def proof(self, username: str, *, ahead: bool = False) -> dict[str, str]:
        """Return password and a fresh one-time code of a person."""
        held = self.people()[username]
        card = self._cards.setdefault(username, CodeCard(held.code_secret))
        code = card.code(after=self._last_step(username), ahead=ahead)
        return {"password": held.password, "code": code}

    def used_code(self, username: str) -> str:
        return self._cards[username].same_code()

    def _last_step(self, username: str) -> int:
        """Return the time step of the last code that was accepted: the set-up signs too."""
        (found,) = self.rows(
            "SELECT coalesce(max(last_step), 0) FROM audit_credential c "
            "JOIN audit_user u ON u.id = c.user_id WHERE u.username = %s",
            username,
        )
        return int(found[0])

    def rows(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database as the application does; what is read here has been committed."""
        with psycopg.connect(self.variables()["TWIN_DATABASE_URL"], connect_timeout=5) as session:
            return session.execute(question, values).fetchall()  # type: ignore[arg-type]

    def pids(self) -> dict[str, int | None]:
        return {process.name: process.pid for process in status.read(self.folder).processes}

    def not_ready(self) -> list[str]:
        report = status.read(self.folder)
        return [process.name for process in report.processes if process.state is not State.READY]

    def is_set_up(self) -> bool:
        """Return whether every process stands and the set-up has signed all it signs."""
        assert self.process.poll() is None, self.said()[-2000:]
        names = self.pids()
        return "plant BR-201" in names and "set-up" not in names and not self.not_ready()

    def said(self) -> str:
        return (self.folder.path / "said.log").read_text(encoding="utf-8", errors="replace")

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a management command on the installation as its administrator would."""
        return subprocess.run(
            [sys.executable, str(CHECKOUT / "manage.py"), *arguments],
            env={**environment(self.folder), **self.variables()},
            capture_output=True,
            text=True,
            check=False,
        )


def environment(folder: DataFolder, **pace: str) -> dict[str, str]:
    """Return a nearly empty environment: nothing of the developer's own reaches the site."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": ":".join(path for path in sys.path if "site-packages" in path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", str(CHECKOUT / ".cache" / "numba")),
        "MPLCONFIGDIR": str(folder.path / "matplotlib"),
        **pace,
    }


@contextlib.contextmanager
def running_demonstration(**pace: str) -> Iterator[Demonstration]:
    """Start the demonstration, wait until it is set up, and stop it after the block."""
    folder = fresh_folder()
    output = folder.path / "said.log"
    command = [sys.executable, str(CHECKOUT / "manage.py"), "supervise", "--demo"]
    with output.open("wb") as said:
        process = subprocess.Popen(
            [*command, "--data", str(folder.path)],
            env=environment(folder, **{**HEADLESS_PACE, **pace}),
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    site = Demonstration(folder, process)
    try:
        eventually(site.is_set_up, within=STARTED_WITHIN, what="the demonstration is set up")
        yield site
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=90)
