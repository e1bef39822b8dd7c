"""Watches child processes: starts them in order, brings back who dies, stops them in reverse."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import structlog

from twin_core.supervisor import status
from twin_core.supervisor.account import Account
from twin_core.supervisor.folder import DataFolder
from twin_core.supervisor.services import Service, ServiceFailed, log_of
from twin_core.supervisor.spawning import end, spawn
from twin_core.supervisor.status import ProcessStatus, State

log = structlog.get_logger("supervisor")
TICK = 0.1  # seconds between looks at the children
LOOK = 0.2  # seconds between questions to a child that is not ready
BACK_OFF = (0.2, 10.0)  # seconds before the first restart, and at most; doubled each time
CALM = 30.0  # seconds of life after which a failure counts as the first again
STOP_PATIENCE = 20.0  # seconds for a child to end by itself
LEFTOVER_PATIENCE = 5.0  # seconds for the backends of a killed server to end by themselves
START_WITHIN = 120.0  # seconds for the first start of one child


def nothing() -> None:
    """A child that needs no preparation."""


def nobody() -> list[psutil.Process]:
    """A child that leaves no processes behind."""
    return []


def always() -> bool:
    """A child that is ready when it lives."""
    return True


@dataclass(frozen=True)
class Child:
    """A process to keep alive: how to start it, and how to tell that it is ready."""

    name: str
    argv: Callable[[], Sequence[str]]
    env: Mapping[str, str]
    ready: Callable[[], bool] = always
    prepare: Callable[[], None] = nothing
    leftovers: Callable[[], list[psutil.Process]] = nobody
    account: Account | None = None
    cwd: Path | None = None
    death_signal: signal.Signals = signal.SIGTERM
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)
    is_once: bool = False  # ended with status 0 it has done its work: it is watched no more
    after: str = ""  # started when the child of this name has done its work

    @classmethod
    def of_service(cls, service: Service, folder: DataFolder) -> "Child":
        return cls(
            name=service.name,
            argv=service.argv,
            env=service.env(),
            ready=service.ready,
            prepare=service.prepare,
            leftovers=service.leftovers,
            account=folder.account,
            cwd=folder.services,
            death_signal=service.death_signal,
            stop_signals=service.stop_signals,
        )


class Watched:
    """A child and what has become of it so far."""

    def __init__(self, child: Child, folder: DataFolder) -> None:
        self.child = child
        self.folder = folder
        self.status = ProcessStatus(child.name, State.STOPPED, status.now())
        self.process: subprocess.Popen[bytes] | None = None
        self.failures = 0
        self.started_at = self.due_at = self.look_at = 0.0
        self.left_since: float | None = None
        self.is_done = False

    def set_state(self, state: State) -> None:
        if state is not self.status.state:
            self.status.state, self.status.since = state, status.now()

    def start(self) -> None:
        """Start the process now; whoever works on its data still has been waited for."""
        self.child.prepare()
        with log_of(self.folder, self.child.name) as output:
            self.process = spawn(
                self.child.argv(),
                env=self.child.env,
                output=output,
                account=self.child.account,
                death_signal=self.child.death_signal,
                cwd=self.child.cwd,
            )
        self.started_at = time.monotonic()
        self.look_at = 0.0
        self.status.pid = self.process.pid
        self.status.created = status.created(self.process.pid)

    def watch(self) -> bool:
        """Look at the process and act; return whether its published status has changed."""
        before = (self.status.state, self.status.pid)
        if self.process is None:
            self._restart_when_due()
        elif (code := self.process.poll()) is not None:
            self._note_end(code)
        elif self.status.state is not State.READY and time.monotonic() >= self.look_at:
            self._look()
        return before != (self.status.state, self.status.pid)

    def _look(self) -> None:
        self.look_at = time.monotonic() + LOOK
        if self.child.ready():
            self.set_state(State.READY)

    def _note_end(self, code: int) -> None:
        if self.child.is_once and code == 0:
            self.is_done = True
            return
        lived = time.monotonic() - self.started_at
        self.failures = 1 if lived > CALM else self.failures + 1
        first, longest = BACK_OFF
        pause = min(longest, first * 2 ** (self.failures - 1))
        self.due_at = time.monotonic() + pause
        log.warning("process ended", name=self.child.name, status=code, again_in_seconds=pause)
        self.process, self.status.pid, self.status.created = None, None, None
        self.set_state(State.RESTARTING)

    def _restart_when_due(self) -> None:
        if time.monotonic() < self.due_at or self.waits_for_leftovers():
            return
        self.status.restarts += 1
        try:
            self.start()
        except (OSError, RuntimeError) as error:
            log.error("process cannot be started", name=self.child.name, error=str(error))
            self._note_end(-1)

    def waits_for_leftovers(self) -> bool:
        """Return whether processes of the dead server still work on its data; end them in time."""
        left = self.child.leftovers()
        if not left:
            self.left_since = None
            return False
        self.left_since = self.left_since or time.monotonic()
        if time.monotonic() - self.left_since > LEFTOVER_PATIENCE:
            for process in left:
                process.terminate()
        return True

    def stop(self) -> None:
        if self.process is not None:
            end(self.process, self.child.stop_signals, patience=STOP_PATIENCE)
        self.process, self.status.pid, self.status.created = None, None, None
        self.set_state(State.STOPPED)


class Supervisor:
    """The children of one data folder; the caller holds the folder's lock."""

    def __init__(self, folder: DataFolder) -> None:
        self.folder = folder
        self.watched: list[Watched] = []
        self.waiting: list[Child] = []  # for the end of another child's work
        self.stopping = False

    def end_survivors(self) -> None:
        """End what an earlier supervisor of this folder, killed, has left running."""
        deadline = time.monotonic() + STOP_PATIENCE
        for process in status.survivors(self.folder):
            log.warning("ending a process of the last supervisor", pid=process.pid)
            process.terminate()
        while left := status.survivors(self.folder):
            if time.monotonic() > deadline:
                for process in left:
                    process.kill()
            time.sleep(TICK)

    def start(self, child: Child) -> None:
        """Start a child and wait until it is ready, watching the others meanwhile.

        A child that comes after another's work is noted only, while that one works.
        """
        if child.after in {watched.child.name for watched in self.watched}:
            self.waiting.append(child)
            return
        watched = Watched(child, self.folder)
        watched.set_state(State.STARTING)
        self.watched.append(watched)
        deadline = time.monotonic() + START_WITHIN
        while watched.child.leftovers() and time.monotonic() < deadline and not self.stopping:
            watched.waits_for_leftovers()
            time.sleep(TICK)
        watched.start()
        self.publish()
        while not (watched.status.state is State.READY or watched.is_done or self.stopping):
            self.tick()
            if watched.failures >= 3 or time.monotonic() > deadline:
                log_file = self.folder.logs / f"{child.name}.log"
                raise ServiceFailed(f"{child.name} does not start: see {log_file}")

    def tick(self) -> None:
        """Look at every child once, publish a change, and wait a moment."""
        changed = [watched.watch() for watched in self.watched]
        if self._let_go() or any(changed):
            self.publish()
        time.sleep(TICK)

    def _let_go(self) -> bool:
        """Watch no more whose work is done, and start whom it was waited for by."""
        done = {watched.child.name for watched in self.watched if watched.is_done}
        self.watched = [watched for watched in self.watched if not watched.is_done]
        due = [child for child in self.waiting if child.after in done]
        self.waiting = [child for child in self.waiting if child not in due]
        for child in due:
            watched = Watched(child, self.folder)
            watched.set_state(State.STARTING)
            watched.start()
            self.watched.append(watched)
        return bool(done)

    def run(self) -> None:
        """Watch until ``stopping`` is set."""
        while not self.stopping:
            self.tick()

    def stop(self) -> None:
        """Stop all children, the last one started first."""
        for watched in reversed(self.watched):
            watched.stop()
            self.publish()

    def stop_on_signals(self) -> None:
        """Let Ctrl-C and SIGTERM end ``run``; a second one changes nothing: stopping is short."""

        def note(number: int, _frame: object) -> None:
            self.stopping = True

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, note)

    def publish(self) -> None:
        status.write(self.folder, os.getpid(), [watched.status for watched in self.watched])
