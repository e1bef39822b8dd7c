"""Marks are counted, and a mark that points at nothing stops the run."""

import json
import subprocess
import sys

import pytest

from validation import results
from validation.requirements import ROOT, parse

REQUIREMENT = "---\nid: URS-TST-001\ntitle: A probe\nrisk: low\nclauses: []\n---\nIt shall probe.\n"
TESTS = """
import pytest

@pytest.mark.requirement("URS-TST-001")
@pytest.mark.fault("STO-06")
def test_good(): pass

@pytest.mark.requirement("URS-TST-001")
def test_bad(): assert False
"""


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "docs" / "requirements"
    folder.mkdir(parents=True)
    (folder / "URS-TST-001.md").write_text(REQUIREMENT)
    (tmp_path / "test_it.py").write_text(TESTS)
    return tmp_path


def run(project, *arguments):
    plain = ["-p", "validation.pytest_plugin", "-p", "no:django", "-p", "no:cacheprovider"]
    place = ["-c", "/dev/null", f"--rootdir={project}"]
    command = [sys.executable, "-m", "pytest", "-q", *plain, *place, *arguments, str(project)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )


def kept_results(project):
    return json.loads((project / results.RESULTS).read_text())["tests"]


@pytest.mark.requirement("URS-VAL-002")
def test_results_are_kept_by_test_with_marks_and_build(project):
    run(project, "--junitxml=report.xml")
    kept = kept_results(project)
    good, bad = kept["test_it.py::test_good"], kept["test_it.py::test_bad"]
    assert (good["outcome"], bad["outcome"]) == ("passed", "failed")
    fingerprint = parse(REQUIREMENT, name="URS-TST-001.md").fingerprint
    assert (good["requirement"], good["fault"]) == ({"URS-TST-001": fingerprint}, ["STO-06"])
    assert good["software"].startswith("0.")
    assert (
        '<property name="requirement" value="URS-TST-001"' in (project / "report.xml").read_text()
    )


@pytest.mark.requirement("URS-VAL-002")
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("URS-TST-001", "URS-TST-009"), "there is no requirement URS-TST-009"),
        (("STO-06", "sto six"), "no identifier of a fault"),
    ],
)
def test_a_mark_that_points_at_nothing_stops_the_run_before_the_first_test(
    project, change, complaint
):
    (project / "test_it.py").write_text(TESTS.replace(*change, 1))
    outcome = run(project)
    assert outcome.returncode == pytest.ExitCode.USAGE_ERROR
    assert complaint in outcome.stderr
    assert not (project / results.RESULTS).exists()


@pytest.mark.requirement("URS-VAL-002")
def test_a_test_that_was_left_out_keeps_its_last_result(project):
    run(project)
    run(project, "-k", "bad")
    assert kept_results(project)["test_it.py::test_good"]["outcome"] == "passed"


@pytest.mark.requirement("URS-VAL-002")
def test_a_test_that_is_gone_takes_its_result_with_it(project):
    run(project)
    (project / "test_it.py").write_text(TESTS.replace("test_good", "test_better"))
    run(project)
    assert sorted(kept_results(project)) == ["test_it.py::test_bad", "test_it.py::test_better"]


@pytest.mark.requirement("URS-VAL-002")
@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("passed", "failed", "failed"),
        ("failed", "passed", "failed"),
        ("not_run", "passed", "passed"),
    ],
)
def test_the_worst_phase_of_a_test_decides(first, second, together):
    assert results.worst(first, second) == together
