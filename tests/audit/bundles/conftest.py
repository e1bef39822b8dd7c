"""Honest bundles, to be tampered with."""

import shutil
from pathlib import Path

import pytest

from tests.audit.bundles.tampering import SELECTED
from tests.audit.made_ledger import MadeLedger


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two bundles, ``complete`` and ``selection``: copy them, leave them alone."""
    home = tmp_path_factory.mktemp("honest")
    MadeLedger().write(home / "complete")
    MadeLedger().write(home / "selection", SELECTED)
    return home


@pytest.fixture
def complete(honest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest / "complete", tmp_path / "complete"))


@pytest.fixture
def selection(honest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest / "selection", tmp_path / "selection"))


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    """The true public key, from elsewhere."""
    path = tmp_path / "trusted.txt"
    path.write_text(f"# from the site's quality unit\n\n{MadeLedger().public}\n")
    return path
