"""A management command run by hand: it finds its services, or starts them for its own length.

Nothing here touches Django: it runs before settings are loaded.
"""

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from twin_core.config.processes import ADMIN, APPLICATION, sign_in_as
from twin_core.supervisor import demonstration
from twin_core.supervisor.folder import DataFolder, FolderInUse
from twin_core.supervisor.installation import ensure_database
from twin_core.supervisor.processes import Child, Supervisor
from twin_core.supervisor.roster import CHECKOUT, SEALER, child_of
from twin_core.supervisor.services import READY_WITHIN, ServiceFailed, Services, log_of, running
from twin_core.supervisor.spawning import end, spawn

# These look at code or files alone.
NEED_NOTHING = {
    *("", "help", "version", "check", "makemigrations", "collectstatic", "findstatic"),
    *("diffsettings", "spectacular", "code", "reproduce", "restore", "backup_key"),
}
# These get the administrator's address of an embedded server.
ADMINISTRATORS = {"init_database", "open_epoch", "backup", "archive_wal"}
# These bring services up themselves.
START_SERVICES = {"supervise", "demo_check"}


@contextlib.contextmanager
def environment_for(argv: list[str]) -> Iterator[None]:
    """Set the TWIN_* variables that the command in ``argv`` needs, and run services for it.

    With ``TWIN_DATABASE_URL`` in the environment everything is taken from there. ``--data DIR``
    names the data folder (default: TWIN_DATA_DIR, or ``data`` in the checkout); it is taken out of
    ``argv`` for commands that do not know it.
    """
    command = command_of(argv)
    folder = folder_of(argv, keep=command in START_SERVICES)
    if APPLICATION in os.environ and command not in START_SERVICES:
        sign_in_as(command, os.environ)
        yield
    elif command in NEED_NOTHING or {"--help", "-h"} & set(argv):
        for name, value in idle_variables(folder).items():
            os.environ.setdefault(name, value)
        yield
    elif command in START_SERVICES:
        if command == "demo_check":
            demonstration.set_pace(demonstration.HEADLESS_PACE)
        elif "--demo" in argv:
            demonstration.set_pace(demonstration.PACE)
        for name, value in Services(folder).variables().items():
            os.environ.setdefault(name, value)  # settings load; the command starts the services
        os.environ["TWIN_DATA_DIR"] = str(folder.path)
        sign_in_as(command, os.environ)
        yield
    else:
        with services_for(folder, command) as services:
            os.environ.update(services.variables())
            if command in ADMINISTRATORS and (admin_url := services.admin_url()):
                os.environ.setdefault(ADMIN, admin_url)
            sign_in_as(command, os.environ)
            yield


def command_of(argv: list[str]) -> str:
    words = [word for word in argv[1:] if not word.startswith("-")]
    if argv[1:2] == ["--data"]:
        words = words[1:]
    return words[0] if words else ""


def folder_of(argv: list[str], *, keep: bool) -> DataFolder:
    """Return the data folder; unless ``keep``, take ``--data`` out of ``argv``."""
    if command_of(argv) == "demo_check" and not any(word.startswith("--data") for word in argv):
        place = tempfile.mkdtemp(prefix="twin-demo-")
        argv += ["--data", place, "--discard"]
    place = os.environ.get("TWIN_DATA_DIR") or str(CHECKOUT / "data")
    for index, word in enumerate(argv):
        if word == "--data" and index + 1 < len(argv):
            place, used = argv[index + 1], 2
        elif word.startswith("--data="):
            place, used = word.removeprefix("--data="), 1
        else:
            continue
        if not keep:
            del argv[index : index + used]
        break
    return DataFolder(Path(place).absolute())


def idle_variables(folder: DataFolder) -> dict[str, str]:
    """Return variables with which settings load and nothing is reached."""
    return {
        "TWIN_SECRET_KEY": secrets.token_urlsafe(64),
        "TWIN_DATA_DIR": str(folder.path),
        APPLICATION: f"postgresql://nobody@/none?host={folder.path / 'none'}",
    }


@contextlib.contextmanager
def services_for(folder: DataFolder, command: str) -> Iterator[Services]:
    """Use the services that run on the folder, or run them (and the sealer) for the block."""
    services = Services(folder)
    if services.note:
        say(services.note)
    with contextlib.ExitStack() as stack:
        if not join_running(services, command, stack):
            start_own(services, command, stack)
        yield services


def join_running(services: Services, command: str, stack: contextlib.ExitStack) -> bool:
    """Return True when another process runs the services, False when we hold the folder now.

    Raises ServiceFailed when another holds the folder and its services do not come up.
    """
    folder = services.folder
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        with contextlib.suppress(FolderInUse):
            stack.enter_context(folder.lock(f"manage.py {command}"))
            return False
        with contextlib.ExitStack() as attempt:
            attempt.enter_context(folder.using())  # waits while a starter stops its services
            if all(service.ready() for service in services.embedded()) and is_initialised(folder):
                stack.enter_context(attempt.pop_all())
                return True
        time.sleep(0.2)
    raise ServiceFailed(
        f"another process is starting the services of {folder.path} and they do not answer: "
        f"see {folder.logs}"
    )


def start_own(services: Services, command: str, stack: contextlib.ExitStack) -> None:
    """Run the embedded services, with the sealer so that no record of the command waits.

    They are stopped with ``stack``, once no other command uses them.
    """
    folder = services.folder
    Supervisor(folder).end_survivors()
    stack.enter_context(running(services))
    if command != "init_database":
        ensure_database(services)
        stack.enter_context(sealing(services))
    stack.callback(lambda: stack.enter_context(folder.unused()))


@contextlib.contextmanager
def sealing(services: Services) -> Iterator[None]:
    """Run the sealer for the block: it opens the ledger, and seals what is left before it ends."""
    sealer = child_of(SEALER, services, port=0)
    with log_of(services.folder, sealer.name) as output:
        process = spawn(sealer.argv(), env=sealer.env, output=output, cwd=sealer.cwd)
    try:
        wait_until_sealing(sealer, process, services.folder)
        yield
    finally:
        end(process, sealer.stop_signals, patience=20)


def wait_until_sealing(
    sealer: Child, process: "subprocess.Popen[bytes]", folder: DataFolder
) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline and not sealer.ready():
        time.sleep(0.05)
    if process.poll() is not None:
        say(f"no record can be written: the sealer ended, see {folder.logs / 'sealer.log'}")


def is_initialised(folder: DataFolder) -> bool:
    return (folder.path / "initialised").exists()


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
