"""The indexer as a process, and the commands that compare the index and make it anew."""

import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.desk import indexing
from tests.audit.desk.acts import act

pytestmark = pytest.mark.requirement("URS-WEB-030")
ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 60.0  # seconds after which the test gives up; nothing is measured by it


def said(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def test_the_indexer_follows_the_sealer_and_ends_when_it_is_told_to(desk, services):
    act(1)
    desk.seal()
    environment = {**os.environ, **services.environment(desk.name)}
    environment.pop("TWIN_PROCESS", None)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run_indexer"], cwd=ROOT, env=environment
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while indexing.mark().sequence < 0:
            assert time.monotonic() < deadline, "nothing was indexed"
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


def test_the_index_is_compared_and_made_anew_by_command(desk: Any, as_role: Any):
    for number in range(3):
        act(number)
    desk.seal()
    with desk.as_indexer():
        assert "3 records are indexed" in said("rebuild_index")
    assert "3 rows are what the ledger says" in said("check_index")
    assert json.loads(said("check_index", "--json"))["ok"] is True
    with as_role("superuser") as insider:
        insider.execute("DELETE FROM audit_searchrow WHERE sequence = 1")
    with pytest.raises(CommandError, match="record 1 is missing from the index: run"):
        said("check_index")
