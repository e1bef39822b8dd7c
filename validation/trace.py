"""Requirement -> tests and protocol steps -> last result, with the gaps named."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from validation.requirements import Requirement

COVERED, GAPS = "covered", ("failed", "outdated", "incomplete", "no evidence")
HEADINGS = ("requirement", "title", "risk", "status", "kind", "evidence", "result", "at", "build")


@dataclass(frozen=True)
class Evidence:
    """The last result of one test or step, as evidence for one requirement."""

    requirement: str
    kind: str  # test | step
    name: str
    outcome: str  # passed | failed | skipped | not_run
    at: str | None = None
    software: str | None = None
    fingerprint: str | None = None  # of the requirement when the evidence was made


@dataclass(frozen=True)
class Row:
    """One requirement with all its evidence."""

    requirement: Requirement
    evidence: tuple[Evidence, ...]
    status: str  # COVERED or one of GAPS


def matrix(
    requirements: Mapping[str, Requirement], evidence: Iterable[Evidence], *, software: str
) -> list[Row]:
    """Return a row for each requirement, judged for the build ``software``."""
    by_requirement: dict[str, list[Evidence]] = {id: [] for id in requirements}
    for each in evidence:
        by_requirement.setdefault(each.requirement, []).append(each)
    return [
        Row(requirement, tuple(found := by_requirement[id]), status(requirement, found, software))
        for id, requirement in requirements.items()
    ]


def status(requirement: Requirement, evidence: list[Evidence], software: str) -> str:
    """Judge the evidence of one requirement; the worst that applies is the answer."""
    outcomes = {each.outcome for each in evidence}
    if not evidence:
        return "no evidence"
    if "failed" in outcomes:
        return "failed"
    if outcomes != {"passed"}:
        return "incomplete"
    fresh = all(
        each.software == software and each.fingerprint == requirement.fingerprint
        for each in evidence
    )
    return COVERED if fresh else "outdated"


def from_tests(tests: Mapping[str, Mapping[str, Any]]) -> list[Evidence]:
    """Return the evidence in the results that the pytest plugin keeps."""
    return [
        Evidence(
            id, "test", name, kept["outcome"], kept.get("at"), kept.get("software"), fingerprint
        )
        for name, kept in tests.items()
        for id, fingerprint in kept["requirement"].items()
    ]


def from_steps(declared: Mapping[str, Iterable[str]], last: Mapping[str, Any]) -> list[Evidence]:
    """Return the evidence of protocol steps: ``declared`` requirements by step, ``last`` results.

    A step that no protocol declares any more is no evidence; one that never ran is not run.
    """
    return [
        Evidence(id, "step", name, "not_run")
        if (told := last.get(name)) is None
        else Evidence(
            id,
            "step",
            name,
            told["outcome"],
            told["finished_at"],
            told["software"],
            told["verifies"].get(id),
        )
        for name, ids in declared.items()
        for id in ids
    ]


def lines(rows: Iterable[Row]) -> list[tuple[str, ...]]:
    """Return the matrix as lines of HEADINGS; a requirement without evidence has one line."""
    return [
        (r.id, r.title, r.risk, row.status, each.kind, each.name, each.outcome, *_made(each))
        for row in rows
        for r in [row.requirement]
        for each in row.evidence or (Evidence(r.id, "", "", ""),)
    ]


def as_csv(rows: Iterable[Row]) -> str:
    """Return the matrix as CSV; text that a spreadsheet would run as a formula is disarmed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADINGS)
    writer.writerows([_disarmed(cell) for cell in line] for line in lines(rows))
    return out.getvalue()


def as_table(rows: list[Row]) -> str:
    """Return the matrix as text for a terminal, and the count of each status in its last line."""
    told = []
    for row in rows:
        told.append(f"{row.requirement.id}  {row.status:<12} {row.requirement.title}")
        told += [f"    {e.outcome:<8} {e.kind} {e.name}" for e in row.evidence]
    counts = {name: sum(row.status == name for row in rows) for name in (COVERED, *GAPS)}
    summary = ", ".join(f"{count} {name}" for name, count in counts.items())
    return "\n".join([*told, f"{len(rows)} requirements: {summary}"])


def _made(each: Evidence) -> tuple[str, str]:
    return each.at or "", each.software or ""


def _disarmed(cell: str) -> str:
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
