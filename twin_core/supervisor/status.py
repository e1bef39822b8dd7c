"""What the supervisor says of its processes, for the pages and for its own next start."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import psutil

from twin_core.supervisor.folder import DataFolder, write_private


class State(StrEnum):
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass
class ProcessStatus:
    """One watched process; ``created`` (epoch seconds) tells its number from a reused one."""

    name: str
    state: State
    since: str  # UTC, ISO 8601
    restarts: int = 0
    pid: int | None = None
    created: float | None = None


@dataclass(frozen=True)
class Report:
    """The whole: ``running`` is false when the supervisor itself is gone."""

    running: bool
    processes: list[ProcessStatus]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def created(pid: int | None) -> float | None:
    """Return when the living process with this number began, or None when there is none."""
    try:
        process = psutil.Process(-1 if pid is None else pid)
        dead = process.status() == psutil.STATUS_ZOMBIE
        return None if dead else process.create_time()
    except (psutil.NoSuchProcess, ValueError):
        return None


def write(folder: DataFolder, supervisor: int, processes: list[ProcessStatus]) -> None:
    content = {
        "supervisor": {"pid": supervisor, "created": created(supervisor)},
        "processes": [asdict(process) for process in processes],
    }
    write_private(folder.status, json.dumps(content, indent=1) + "\n")


def read(folder: DataFolder) -> Report:
    """Return the last report; a folder never supervised gives an empty one."""
    if not folder.status.exists():
        return Report(running=False, processes=[])
    content: dict[str, Any] = json.loads(folder.status.read_text())
    processes = [
        ProcessStatus(**{**each, "state": State(each["state"])}) for each in content["processes"]
    ]
    supervisor = content["supervisor"]
    alive = supervisor["created"] is not None and supervisor["created"] == created(
        supervisor["pid"]
    )
    return Report(running=alive, processes=processes)


def survivors(folder: DataFolder) -> list[psutil.Process]:
    """Return the processes of an earlier supervisor that have outlived it."""
    return [
        psutil.Process(process.pid)
        for process in read(folder).processes
        if process.pid is not None
        and process.created is not None
        and created(process.pid) == process.created
    ]
