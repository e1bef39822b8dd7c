"""The report that the supervisor writes of its processes, as the pages read it.

``read(settings.DATA_DIR / "status.json")`` is all a page needs. Nothing here starts or stops.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil


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

    def not_ready(self) -> list[ProcessStatus]:
        """Return the processes that a page must name as missing."""
        return [process for process in self.processes if process.state is not State.READY]


def created(pid: int | None) -> float | None:
    """Return when the living process with this number began, or None when there is none."""
    try:
        process = psutil.Process(-1 if pid is None else pid)
        dead = process.status() == psutil.STATUS_ZOMBIE
        return None if dead else process.create_time()
    except (psutil.NoSuchProcess, ValueError):
        return None


def read(path: Path) -> Report:
    """Return the last report; where nothing was ever supervised, an empty one."""
    if not path.exists():
        return Report(running=False, processes=[])
    content: dict[str, Any] = json.loads(path.read_text())
    processes = [
        ProcessStatus(**{**each, "state": State(each["state"])}) for each in content["processes"]
    ]
    supervisor = content["supervisor"]
    begun = supervisor["created"]
    alive = begun is not None and begun == created(supervisor["pid"])
    return Report(running=alive, processes=processes)
