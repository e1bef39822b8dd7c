"""Fixtures of the record store's tests."""

from pathlib import Path
from typing import Any

import pytest

from tests.services import TestServices


@pytest.fixture
def ledger(services: TestServices, ledger_db: str, tmp_path: Path) -> Any:
    """This test's own ledger, with a sealer to call: a ``sealing.Ledger``."""
    from tests.audit.sealing import Ledger  # needs Django's applications

    return Ledger(services, ledger_db, tmp_path / "checkpoints")
