"""The demonstration's witness: a folder and a process of its own, on the same machine.

It shows how a witness works; one that is to be believed runs at another party, on another machine.
"""

import http.client
from pathlib import Path

from audit.witness.folder import Folder
from audit.witness.web import listen
from twin_core.supervisor.folder import write_private
from twin_core.supervisor.secrets import ledger_public_keys

NAME, HOST = "localhost/witness", "127.0.0.1"


def folder_of(data: Path) -> Path:
    return data / "witness"


def policy_of(data: Path) -> Path:
    return data / "witnesses.txt"


def prepare(data: Path) -> None:
    """Make the witness at the first start, tell it of the ledger, choose its port, name it.

    A policy that names other witnesses is a person's, and stays as it is.
    """
    path = folder_of(data)
    folder = Folder(path) if (path / "witness.key").exists() else Folder.make(path, NAME)
    for origin, key in ledger_public_keys(data / "keys"):
        folder.accept(origin, key)
    with listen(HOST, 0, last=folder.last_port()) as bound:
        port = bound.getsockname()[1]
    folder.note_address(f"http://{HOST}:{port}")
    policy = policy_of(data)
    lines = policy.read_text(encoding="utf-8").splitlines() if policy.exists() else []
    if all(line.endswith(f" {folder.public}") or line == "quorum 1" for line in lines):
        write_private(policy, f"http://{HOST}:{port} {folder.public}\nquorum 1\n")


def is_listening(data: Path) -> bool:
    """Return whether the witness answers where its policy says."""
    port = Folder(folder_of(data)).last_port()
    try:
        connection = http.client.HTTPConnection(HOST, port, timeout=5)
        connection.request("GET", "/status")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
