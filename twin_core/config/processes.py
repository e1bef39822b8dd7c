"""Which database role each process signs in with, and the name it gives itself on records."""

from collections.abc import MutableMapping
from dataclasses import dataclass

APPLICATION = "TWIN_DATABASE_URL"


@dataclass(frozen=True)
class Process:
    """A process by its command: ``name`` is its name on records, ``variable`` its address."""

    name: str
    variable: str


PROCESSES = {
    "run_sealer": Process("sealer", "TWIN_SEALER_DATABASE_URL"),
    "run_gate": Process("gate", "TWIN_GATE_DATABASE_URL"),
    "run_watch": Process("watch", APPLICATION),
    "verify_ledger": Process("verify_ledger", "TWIN_AUDITOR_DATABASE_URL"),
}


def process_of(command: str) -> Process:
    """Return the process that a management command is; any other works as the application."""
    return PROCESSES.get(command, Process(command or "command", APPLICATION))


def sign_in_as(command: str, environment: MutableMapping[str, str]) -> None:
    """Make ``TWIN_DATABASE_URL`` the address of the command's own role, before settings load.

    The supervisor gives its children one address alone; it stays then.
    """
    process = process_of(command)
    environment.setdefault("TWIN_PROCESS", process.name)
    if process.variable in environment:
        environment[APPLICATION] = environment[process.variable]
