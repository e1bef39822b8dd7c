"""An installation to qualify: a database of its own, and a sealer at work on it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import TestServices

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sealed_db(services: TestServices, ledger_db: str, settings, tmp_path: Path) -> Iterator[str]:
    """A database to commit to whose records are sealed by a sealer process with its own role."""
    settings.CHECKPOINT_DIR = tmp_path / "checkpoints"
    with sealer_on(services.environment(ledger_db), settings.CHECKPOINT_DIR):
        yield ledger_db


@contextlib.contextmanager
def sealer_on(variables: dict[str, str], checkpoints: Path) -> Iterator[None]:
    environment = {
        **os.environ,
        **variables,
        "TWIN_DATABASE_URL": variables["TWIN_SEALER_DATABASE_URL"],
        "TWIN_CHECKPOINT_DIR": str(checkpoints),
        "TWIN_PROCESS": "sealer",
    }
    command = [sys.executable, str(ROOT / "manage.py"), "run_sealer"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as sealer:
        try:
            yield
        finally:
            sealer.terminate()
            sealer.wait(timeout=30)
