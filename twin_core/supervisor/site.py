"""A whole site on one machine: services, database, and the processes of the roster."""

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from twin_core.supervisor.folder import DataFolder
from twin_core.supervisor.installation import choose_port, ensure_database, keep_address
from twin_core.supervisor.processes import Child, Supervisor
from twin_core.supervisor.roster import ROSTER, Entry, child_of
from twin_core.supervisor.services import Services


@dataclass(frozen=True)
class Site:
    """A site that stands: its web address, and the supervisor to keep it so."""

    services: Services
    supervisor: Supervisor
    address: str
    say: Callable[[str], None]

    def start(self, entries: Collection[Entry]) -> None:
        """Start further processes of the roster, in its order; they are watched like the rest."""
        port = int(self.address.rpartition(":")[2])
        for entry in ROSTER:
            if entry in entries and not self.supervisor.stopping:
                self.say(f"starting {entry.name}")
                self.supervisor.start(child_of(entry, self.services, port))


@contextlib.contextmanager
def standing(
    folder: DataFolder,
    *,
    port: int | None = None,
    groups: Collection[str] = (),
    say: Callable[[str], None],
) -> Iterator[Site]:
    """Bring a site up and stop it after the block, the last process first.

    ``groups`` names optional parts of the roster. Call from the main thread: children die with it.
    Raises FolderInUse, ServiceFailed, InstallationFailed and what services refuse with.
    """
    services = Services(folder)
    with folder.lock("a supervisor"):
        if services.note:
            say(services.note)
        supervisor = Supervisor(folder)
        supervisor.stop_on_signals()
        supervisor.end_survivors()
        try:
            site = Site(services, supervisor, bring_up(services, supervisor, port, say), say)
            site.start([entry for entry in ROSTER if entry.group in {"", *groups}])
            yield site
        finally:
            supervisor.stop()
            folder.remove_run()


def bring_up(
    services: Services,
    supervisor: Supervisor,
    port: int | None,
    say: Callable[[str], None],
) -> str:
    """Start the services, make the database, and return the web's address."""
    for service in services.embedded():
        say(f"starting {service.name}")
        supervisor.start(Child.of_service(service, services.folder))
    say("preparing the database")
    ensure_database(services)
    chosen = choose_port(services.folder, port)
    address = keep_address(services.folder, chosen)
    services.write_env()
    return address
