"""Witnesses that watch this test's ledger."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audit.witness.running import RunningWitness


@pytest.fixture
def watch(ledger: Any, tmp_path: Path, settings: Any) -> Iterator[Callable[..., Any]]:
    """Start witnesses and make them the site's policy: ``watch(2, quorum=1)`` returns them."""
    from audit import checkpoint
    from tests.audit.sealing import ORIGIN

    running: list[RunningWitness] = []
    settings.WITNESSES_FILE = tmp_path / "witnesses.txt"
    settings.LEDGER_ORIGIN = ORIGIN
    settings.LEDGER_PUBLIC_KEY_FILE = tmp_path / "ledger.pub"
    settings.LEDGER_PUBLIC_KEY_FILE.write_text(f"{checkpoint.vkey(ORIGIN, ledger.key)}\n")

    def start(count: int = 1, *, quorum: int | None = None) -> list[RunningWitness]:
        for number in range(count):
            name = f"witness.example/w{number}"
            place = tmp_path / f"witness-{number}"
            running.append(RunningWitness(place, name, ORIGIN, ledger.keys[0]))
        lines = [one.line for one in running] + [f"quorum {quorum or count}", ""]
        settings.WITNESSES_FILE.write_text("\n".join(lines))
        return running

    yield start
    for one in running:
        one.stop()
