"""Count evidence while the tests run: marks ``requirement`` and ``fault`` and their results.

An unknown requirement stops the run before the first test. Results are kept in
``.cache/test-results.json`` (``validation.results`` reads them) and as JUnit properties.
"""

import re
from collections.abc import Container
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audit.software import software
from validation import requirements, results

MARKS = ("requirement", "fault")
FAULT = re.compile(r"[A-Z]{1,4}-?\d{1,3}")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(id): the requirement the test is evidence for")
    config.addinivalue_line("markers", "fault(id): the fault of the catalogue the test injects")
    is_worker = hasattr(config, "workerinput")  # of pytest-xdist: its reports go to one place
    evidence = Evidence(config.rootpath, stores=not is_worker)
    config.pluginmanager.register(evidence, "validation-evidence")


class Evidence:
    """Gathers what the tests of one run show."""

    def __init__(self, root: Path, *, stores: bool = True) -> None:
        self.root, self.stores = root, stores
        self.tests: dict[str, dict[str, Any]] = {}
        self.known: dict[str, requirements.Requirement] = {}

    @pytest.hookimpl(tryfirst=True)  # before -k and -m take some away: all marks are checked
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        marked = {item: marks_of(item) for item in items}
        known = self._known()
        refuse_unknown({item.nodeid: marks for item, marks in marked.items()}, known)
        for item, marks in marked.items():
            item.user_properties += [(name, id) for name in MARKS for id in marks[name]]
            self.tests[item.nodeid] = entry_of(marks, known)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.nodeid not in self.tests:  # collected by another process: its marks came along
            told = {
                name: [str(id) for key, id in report.user_properties if key == name]
                for name in MARKS
            }
            self.tests[report.nodeid] = entry_of(told, self._known())
        entry = self.tests[report.nodeid]
        entry["outcome"] = results.worst(entry["outcome"], report.outcome)
        entry["at"] = datetime.now(UTC).isoformat(timespec="seconds")
        entry["software"] = software()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.stores and self.tests and not session.config.option.collectonly:
            whole_files = not any("::" in argument for argument in session.config.args)
            results.store(self.root, self.tests, whole_files=whole_files)

    def _known(self) -> dict[str, requirements.Requirement]:
        try:
            self.known = self.known or requirements.load(self.root / "docs" / "requirements")
            return self.known
        except requirements.RequirementInvalid as error:
            raise pytest.UsageError(str(error)) from None


def entry_of(
    marks: dict[str, list[str]], known: dict[str, requirements.Requirement]
) -> dict[str, Any]:
    """Return what is kept of a test before it ran: its marks, requirements by their wording."""
    fingerprints = {id: known[id].fingerprint for id in marks["requirement"]}
    return {**marks, "outcome": "not_run", "requirement": fingerprints}


def marks_of(item: pytest.Item) -> dict[str, list[str]]:
    """Return the identifiers that the marks of a test name, by kind of mark."""
    return {
        name: sorted({str(id) for mark in item.iter_markers(name) for id in mark.args})
        for name in MARKS
    }


def refuse_unknown(marked: dict[str, dict[str, list[str]]], known: Container[str]) -> None:
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
