"""Which database role each process signs in with, and the name it gives itself on records."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

APPLICATION = "TWIN_DATABASE_URL"
ADMIN = "TWIN_DATABASE_ADMIN_URL"
RECOVERY = {"open_epoch"}  # run over the administrator's address, acting as twin_recovery


@dataclass(frozen=True)
class Process:
    """A process by its command: ``name`` is its name on records, ``variable`` its address."""

    name: str
    variable: str


PROCESSES = {
    "run_sealer": Process("sealer", "TWIN_SEALER_DATABASE_URL"),
    "run_indexer": Process("indexer", "TWIN_INDEXER_DATABASE_URL"),
    "rebuild_index": Process("rebuild_index", "TWIN_INDEXER_DATABASE_URL"),
    "run_gate": Process("gate", "TWIN_GATE_DATABASE_URL"),
    "run_watch": Process("watch", APPLICATION),
    "stamp_checkpoint": Process("stamp_checkpoint", "TWIN_SEALER_DATABASE_URL"),
    "verify_ledger": Process("verify_ledger", "TWIN_AUDITOR_DATABASE_URL"),
    "verify_tokens": Process("verify_tokens", "TWIN_AUDITOR_DATABASE_URL"),
    "check_index": Process("check_index", "TWIN_AUDITOR_DATABASE_URL"),
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
    if command in RECOVERY and ADMIN in environment:
        environment[APPLICATION] = acting_for_recovery(environment[ADMIN], environment[APPLICATION])
    elif process.variable in environment:
        environment[APPLICATION] = environment[process.variable]


def acting_for_recovery(admin_url: str, address: str) -> str:
    """Return the administrator's address, on the database of ``address``, as twin_recovery."""
    url = urlsplit(admin_url)
    query = urlencode(
        [*parse_qsl(url.query), ("options", "-c role=twin_recovery")], quote_via=quote
    )
    return urlunsplit(url._replace(path=urlsplit(address).path, query=query))
