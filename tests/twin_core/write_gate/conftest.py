"""Fixtures of the gate's tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.services import TestServices


@pytest.fixture
def ledger(services: TestServices, ledger_db: str, tmp_path: Path) -> Any:
    """This test's own ledger, with a sealer to call."""
    from tests.audit.sealing import Ledger  # needs Django's applications

    return Ledger(services, ledger_db, tmp_path / "checkpoints")


@pytest.fixture
def bench(
    services: TestServices, ledger: Any, settings: Any, monkeypatch: Any
) -> Callable[..., Any]:
    """Return a function that makes an order, approved and sealed unless told otherwise."""
    from tests.twin_core.write_gate.bench import bench as make
    from twin_core.write_gate import service

    settings.WRITE_BACK_ENABLED = True
    monkeypatch.setattr(service, "READ_BACK_WITHIN_S", 0.2)
    return lambda **options: make(services, ledger, **options)
