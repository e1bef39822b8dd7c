"""What the supervisor says of its processes, for the pages and for its own next start."""

import json
from dataclasses import asdict
from datetime import UTC, datetime

import psutil

from twin_core.config.status import ProcessStatus, Report, State, created
from twin_core.config.status import read as read_file
from twin_core.supervisor.folder import DataFolder, write_private

__all__ = ["ProcessStatus", "Report", "State", "created", "now", "read", "survivors", "write"]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def write(folder: DataFolder, supervisor: int, processes: list[ProcessStatus]) -> None:
    content = {
        "supervisor": {"pid": supervisor, "created": created(supervisor)},
        "processes": [asdict(process) for process in processes],
    }
    write_private(folder.status, json.dumps(content, indent=1) + "\n")


def read(folder: DataFolder) -> Report:
    return read_file(folder.status)


def survivors(folder: DataFolder) -> list[psutil.Process]:
    """Return the processes of an earlier supervisor that have outlived it."""
    return [
        psutil.Process(process.pid)
        for process in read(folder).processes
        if process.pid is not None
        and process.created is not None
        and created(process.pid) == process.created
    ]
