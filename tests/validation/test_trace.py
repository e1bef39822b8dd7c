"""The matrix calls covered only what passed, wholly, on this build and this wording."""

import csv
import io

import pytest
from django.core.management import CommandError, call_command

from validation import trace
from validation.requirements import Requirement
from validation.trace import Evidence

NOW = "0.1.0+abc"
ONE = Requirement("URS-TST-001", "=A title", "high", (), "It shall.", "fp")
GOOD = {"at": "2026-01-31T09:15:00+00:00", "software": NOW, "fingerprint": "fp"}


def evidence(outcome="passed", **facts):
    return Evidence("URS-TST-001", "test", "t.py::t", outcome, **{**GOOD, **facts})


def status_of(*found):
    return trace.matrix({ONE.id: ONE}, found, software=NOW)[0].status


@pytest.mark.requirement("URS-VAL-006")
def test_all_passed_on_this_build_and_wording_is_covered():
    assert status_of(evidence(), evidence()) == trace.COVERED


@pytest.mark.requirement("URS-VAL-006")
@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([], "no evidence"),
        ([evidence(), evidence("failed")], "failed"),
        ([evidence("failed", software="old")], "failed"),
        ([evidence(), evidence("skipped")], "incomplete"),
        ([evidence("not_run")], "incomplete"),
        ([evidence(), evidence(software="0.1.0+older")], "outdated"),
        ([evidence(fingerprint="another wording")], "outdated"),
        ([evidence(software=None)], "outdated"),
    ],
)
def test_anything_less_is_a_gap(found, status):
    assert status_of(*found) == status
    assert status in trace.GAPS


@pytest.mark.requirement("URS-VAL-006")
def test_a_declared_step_that_never_ran_is_not_run_and_a_forgotten_one_is_no_evidence():
    gone = {"outcome": "passed", "finished_at": "", "software": NOW, "verifies": {}}
    found = trace.from_steps({"OQ-TST-010": ["URS-TST-001"]}, {"OQ-TST-999": gone})
    assert [(each.name, each.outcome) for each in found] == [("OQ-TST-010", "not_run")]


@pytest.mark.requirement("URS-VAL-006")
def test_tests_are_evidence_for_each_requirement_they_are_marked_with():
    kept = {"outcome": "passed", "requirement": {"URS-TST-001": "fp", "URS-TST-002": "fp2"}}
    found = trace.from_tests({"t.py::t": kept})
    assert [(e.requirement, e.fingerprint) for e in found] == [
        ("URS-TST-001", "fp"),
        ("URS-TST-002", "fp2"),
    ]


@pytest.mark.requirement("URS-VAL-006")
def test_the_csv_has_every_line_and_no_formula():
    rows = trace.matrix({ONE.id: ONE}, [evidence()], software=NOW)
    lines = list(csv.reader(io.StringIO(trace.as_csv(rows))))
    assert lines[0] == list(trace.HEADINGS)
    assert lines[1][:4] == ["URS-TST-001", "'=A title", "high", "covered"]


@pytest.mark.requirement("URS-VAL-006")
def test_a_requirement_without_evidence_has_a_line_too():
    rows = trace.matrix({ONE.id: ONE}, [], software=NOW)
    assert trace.as_csv(rows).splitlines()[1] == "URS-TST-001,'=A title,high,no evidence,,,,,"


@pytest.mark.requirement("URS-VAL-006")
def test_the_command_prints_table_and_csv_and_strict_fails_on_gaps(ledger_db, tmp_path, capsys):
    target = tmp_path / "matrix.csv"
    with pytest.raises(CommandError, match="are not covered"):
        call_command("trace_matrix", csv=target, strict=True)
    assert "URS-VAL-006" in capsys.readouterr().out
    assert "URS-AUD-001,A record cannot be changed or removed,high," in target.read_text()
