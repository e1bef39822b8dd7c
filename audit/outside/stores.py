"""Where published checkpoints are brought besides the ledger's own folder."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from audit import checkpoint
from audit.outside.folder import Outside

HOOK_PATIENCE = 30.0  # seconds
_KEPT_FROM_HOOKS = "TWIN_"  # variables with the addresses and passwords of databases


class StoreFailed(Exception):
    """A checkpoint could not be brought to a store; it is tried again."""


class Store(Protocol):
    """A place for checkpoints; at most one each ``every`` seconds is brought, 0 for all."""

    @property
    def name(self) -> str: ...
    @property
    def every(self) -> float: ...

    def keep(self, note: str) -> None:
        """Keep a checkpoint durably or raise StoreFailed; it may come again."""


@dataclass(frozen=True)
class FolderStore:
    """A folder, best on another machine's disk; it must exist, as an empty mount point does not."""

    path: Path
    every: float = 0.0

    @property
    def name(self) -> str:
        return f"folder {self.path}"

    def keep(self, note: str) -> None:
        if not self.path.is_dir():
            raise StoreFailed(f"{self.path} is not there: make it, or mount its disk")
        try:
            Outside(self.path, make=False).keep(note)
        except (OSError, checkpoint.BadCheckpoint) as error:
            raise StoreFailed(str(error)) from error


@dataclass(frozen=True)
class HookStore:
    """A program of the site's: it gets the checkpoint on its input and a file name as argument.

    For an object store, a mailbox, a printer. Status 0 says that the checkpoint is kept.
    """

    program: Path
    every: float

    @property
    def name(self) -> str:
        return f"program {self.program}"

    def keep(self, note: str) -> None:
        name = f"checkpoint-{checkpoint.parse(note).tree_size:020d}.txt"
        try:
            done = subprocess.run(
                [str(self.program), name],
                input=note.encode(),
                env=without_secrets(os.environ),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=HOOK_PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StoreFailed(str(error)) from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()[-300:]
            raise StoreFailed(f"ended with status {done.returncode}: {said}")


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if not k.startswith(_KEPT_FROM_HOOKS)}


def stores(folders: Iterable[Path], program: Path | None, every: float) -> list[Store]:
    """Return the site's stores; ``every`` (s) is how often the program is called at most."""
    found: list[Store] = [FolderStore(path) for path in folders]
    if program is not None:
        found.append(HookStore(program, every))
    return found
