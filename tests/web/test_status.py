"""What the page says of the services, from the supervisor's report."""

import json
import os
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.test import RequestFactory

from twin_core.web import status

HERE = {"pid": os.getpid(), "created": psutil.Process().create_time()}


def process(name: str, state: str) -> dict[str, Any]:
    return {"name": name, "pid": 1, "state": state, "since": "2026-11-24T20:31:05.000+00:00"}


@pytest.fixture
def say(settings, tmp_path: Path):
    """Write a report and return what the banner says to it."""
    settings.DATA_DIR = tmp_path

    def banner(content: Any) -> str:
        if content is not None:
            text = content if isinstance(content, str) else json.dumps(content)
            (tmp_path / "status.json").write_text(text)
        return status.banner(RequestFactory().get("/live/status/")).content.decode().strip()

    return banner


@pytest.mark.requirement("URS-WEB-026")
def test_nothing_is_said_while_all_runs_or_nothing_is_supervised(say):
    assert say(None) == ""
    assert say({"supervisor": HERE, "processes": [process("postgres", "ready")]}) == ""


@pytest.mark.requirement("URS-WEB-026")
@pytest.mark.parametrize("state", ["restarting", "stopped", "starting", "failed"])
def test_a_service_that_is_away_is_named_with_what_it_means(say, state):
    told = say({"supervisor": HERE, "processes": [process("gate", state), process("web", "ready")]})
    assert f"The write gate is {state} since 20:31:05 UTC" in told
    assert "Nothing is written to the plant meanwhile." in told
    assert "web server" not in told


@pytest.mark.requirement("URS-WEB-026")
def test_a_supervisor_that_ended_is_said(say):
    gone = {**HERE, "created": HERE["created"] - 1}  # the number was given to another process
    told = say({"supervisor": gone, "processes": [process("web", "ready")]})
    assert "The supervisor has ended" in told


@pytest.mark.requirement("URS-WEB-026")
@pytest.mark.parametrize(
    "content", ["{", "[]", {"processes": [{"name": "web"}]}, {"processes": "x"}, {}]
)
def test_a_report_that_cannot_be_read_never_counts_as_well(say, content):
    assert "cannot be read" in say(content)
