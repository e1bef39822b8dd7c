"""Count evidence while the tests run: marks ``requirement`` and ``fault`` and their results.

An unknown requirement stops the run before the first test. Results are kept in
``.cache/test-results.json`` (``validation.trace`` reads them) and as JUnit properties.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audit.software import software
from validation import requirements

MARKS = ("requirement", "fault")
FAULT = re.compile(r"[A-Z]{1,4}-?\d{1,3}")
RESULTS = Path(".cache") / "test-results.json"  # below the folder pytest is started for


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(id): the requirement the test is evidence for")
    config.addinivalue_line("markers", "fault(id): the fault of the catalogue the test injects")
    config.pluginmanager.register(Evidence(config.rootpath), "validation-evidence")


class Evidence:
    """Gathers what the tests of one run show."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tests: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(tryfirst=True)  # before -k and -m take some away: all marks are checked
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        marked = {item: marks_of(item) for item in items}
        refuse_unknown({item.nodeid: marks for item, marks in marked.items()}, self._known())
        for item, marks in marked.items():
            item.user_properties += [(name, id) for name in MARKS for id in marks[name]]
            self.tests[item.nodeid] = {"outcome": "not_run", **marks}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        entry = self.tests[report.nodeid]
        entry["outcome"] = worst(entry["outcome"], report.outcome)
        entry["at"] = datetime.now(UTC).isoformat(timespec="seconds")
        entry["software"] = software()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.tests and not session.config.option.collectonly:
            whole_files = not any("::" in argument for argument in session.config.args)
            store(self.root, self.tests, whole_files=whole_files)

    def _known(self) -> set[str]:
        try:
            return set(requirements.load(self.root / "docs" / "requirements"))
        except requirements.RequirementInvalid as error:
            raise pytest.UsageError(str(error)) from None


def marks_of(item: pytest.Item) -> dict[str, list[str]]:
    """Return the identifiers that the marks of a test name, by kind of mark."""
    return {
        name: sorted({str(id) for mark in item.iter_markers(name) for id in mark.args})
        for name in MARKS
    }


def refuse_unknown(marked: dict[str, dict[str, list[str]]], known: set[str]) -> None:
    """Raise pytest.UsageError naming each mark that points at nothing."""
    wrong = [
        f"{test}: there is no requirement {id}; write docs/requirements/{id}.md or mend the mark"
        for test, marks in marked.items()
        for id in marks["requirement"]
        if id not in known
    ]
    wrong += [
        f"{test}: {id!r} is no identifier of a fault; write it like STO-06"
        for test, marks in marked.items()
        for id in marks["fault"]
        if not FAULT.fullmatch(id)
    ]
    if wrong:
        raise pytest.UsageError("\n".join(wrong))


def worst(first: str, second: str) -> str:
    """Return the outcome of a test from those of its phases: setup, call, teardown."""
    order = ("not_run", "passed", "skipped", "failed")
    return max(first, second, key=order.index)


def store(root: Path, tests: dict[str, dict[str, Any]], *, whole_files: bool) -> None:
    """Merge results into the file: a test keeps its last result until the test is gone.

    ``whole_files`` says that of each file in ``tests`` all tests were collected, so that a kept
    result of such a file without a test in it belongs to a test that was removed or renamed.
    """
    path = root / RESULTS
    files = {file_of(name) for name in tests} if whole_files else set()
    kept = {
        name: entry
        for name, entry in read(path).items()
        if (root / file_of(name)).is_file() and (name in tests or file_of(name) not in files)
    }
    fresh = {name: e for name, e in tests.items() if e["outcome"] != "not_run" or name not in kept}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    content = json.dumps({"tests": dict(sorted({**kept, **fresh}.items()))}, indent=1)
    unfinished.write_text(content + "\n", encoding="utf-8")
    unfinished.replace(path)


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Return the kept results by test; none when there is no file, or a broken one."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["tests"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}  # a lost result makes a requirement uncovered, never covered


def file_of(name: str) -> str:
    return name.split("::")[0]
