"""Starting and ending child processes so that none outlives its parent unseen."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import psutil

from twin_core.supervisor.account import Account

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(death_signal: int) -> Callable[[], None] | None:
    """Return what a child runs before exec so that the kernel ends it with its parent (Linux).

    The parent is the thread that starts the child: start children from the main thread.
    """
    if LIBC is None:
        return None
    prctl, parent = LIBC.prctl, os.getpid()

    def arm() -> None:
        prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return arm


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    output: IO[Any] | int,
    account: Account | None = None,
    death_signal: int = signal.SIGTERM,
    cwd: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a child in a session of its own (a terminal's Ctrl-C reaches the parent alone)."""
    dropped = account.popen_arguments() if account is not None else {}
    return subprocess.Popen(
        list(argv),
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        umask=0o077,
        start_new_session=True,
        preexec_fn=die_with_parent(death_signal),
        **dropped,
    )


def end(process: "subprocess.Popen[bytes]", signals: Sequence[int], *, patience: float) -> None:
    """Send the signals one after the other, each with ``patience`` seconds, then SIGKILL."""
    for number in (*signals, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            continue


def working_in(folder: Path, names: Sequence[str]) -> list[psutil.Process]:
    """Return the processes of the given names whose working folder is ``folder``."""
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"] in names and Path(process.cwd()) == folder:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found
