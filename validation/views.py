"""Pages of evidence: protocols and their runs, read from the record store."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from audit import api as audit
from validation import coverage, handover, pages, runner, runs, trace

STATES = {"broken_off": "incomplete"}  # the desk's word for it


@require_safe
@login_required
def evidence(request: HttpRequest) -> HttpResponse:
    """Protocols with their last result, all runs, and how far the requirements are covered."""
    found, passed, matrix = runs.all_runs(), runs.passed_steps(), coverage.current()
    page = pages.EvidencePage(
        protocols=[_protocol_row(name, p, found) for name, p in runner.installed().items()],
        runs=[_run_row(told, passed.get(told["run"], 0)) for told in found],
        requirements=len(matrix),
        covered=sum(row.status == trace.COVERED for row in matrix),
        matrix_href=reverse("validation:matrix"),
    )
    return render(request, "validation/evidence.html", {"page": page})


@require_safe
@login_required
def run(request: HttpRequest, identity: UUID) -> HttpResponse:
    """One run, step by step."""
    told = _run_or_404(identity)
    crumbs = [("Evidence", reverse("validation:evidence")), (told["protocol"], "")]
    context = {"page": _run_page(told), "crumbs": crumbs}
    return render(request, "validation/run.html", context)


@require_safe
@login_required
def matrix(request: HttpRequest) -> HttpResponse:
    """The trace matrix of this build as CSV."""
    return _file(trace.as_csv(coverage.current()).encode(), "trace-matrix.csv", "text/csv")


@require_safe
@login_required
def handover_file(request: HttpRequest, identity: UUID, name: str) -> HttpResponse:
    """A file of a completed run to hand over, as its record cites it."""
    told = _run_or_404(identity)
    if name not in told["files"]:
        raise Http404(f"this run has no file {name}: it was not completed")
    content = runs.handover_file(told, name)
    return _file(content, f"{told['protocol']}-{identity}-{name}", handover.MEDIA_TYPES[name])


@require_safe
@login_required
def attachment(request: HttpRequest, identity: UUID, digest: str) -> HttpResponse:
    """An attachment that a step of this very run cites."""
    steps = _run_or_404(identity)["steps"]
    names = {each["digest"]: each["name"] for step in steps for each in step["attachments"]}
    if digest not in names:
        raise Http404(f"no step of this run cites {digest}")
    return _file(audit.get_blob(digest), names[digest], "application/octet-stream")


def _run_or_404(identity: UUID) -> dict[str, Any]:
    told = runs.run(str(identity))
    if told is None:
        raise Http404(f"there is no run {identity}")
    return told


def _file(content: bytes, name: str, media_type: str) -> HttpResponse:
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=media_type, headers=disposition)


def _protocol_row(name: str, protocol: Any, found: list[dict[str, Any]]) -> pages.ProtocolRow:
    last = next((told for told in found if told["protocol"] == name), None)
    row = {"name": name, "title": protocol.title, "steps": len(protocol.steps)}
    if last is None:
        return pages.ProtocolRow(**row, state="not_run")
    return pages.ProtocolRow(
        **row,
        state=_state(last),
        last_run_at=_moment(last["started_at"]),
        last_run_href=_href(last),
        executor=last["executor"]["name"],
    )


def _run_row(told: dict[str, Any], passed: int) -> pages.RunRow:
    return pages.RunRow(
        href=_href(told),
        protocol=told["protocol"],
        state=_state(told),
        started_at=_moment(told["started_at"]),
        executor=told["executor"]["name"],
        passed=passed,
        total=len(told["declared"]),
        digest=told["files"].get("report.json", ""),
    )


def _run_page(told: dict[str, Any]) -> pages.RunPage:
    is_complete = bool(told["files"])
    arguments = [told["run"], "report.html"]
    return pages.RunPage(
        protocol=told["protocol"],
        title=told["title"],
        state=_state(told),
        started_at=_moment(told["started_at"]),
        ended_at=_moment(told["finished_at"]) if is_complete else None,
        executor=told["executor"]["name"],
        machine=list(told["machine"].items()),
        steps=[_step(told, step) for step in told["steps"]],
        digest=told["files"].get("report.json", ""),
        record_href=_record_href(told["record"]),
        download_href=reverse("validation:file", args=arguments) if is_complete else "",
    )


def _step(told: dict[str, Any], step: dict[str, Any]) -> pages.StepResult:
    checks = [(o["what"], o["expected"], o["actual"], o["passed"]) for o in step["observations"]]
    if step["error"]:
        checks.append(("the step ends without an error", "no error", step["error"], False))
    return pages.StepResult(
        id=step["step"],
        title=step["title"],
        state=step["outcome"],
        verifies=list(step["verifies"]),
        risk=step["risk"],
        instructions=step["instructions"],
        checks=checks,
        attachments=[
            (each["name"], each["digest"], _attachment_href(told, each["digest"]))
            for each in step["attachments"]
        ],
    )


def _attachment_href(told: dict[str, Any], digest: str) -> str:
    return reverse("validation:attachment", args=[told["run"], digest])


def _href(told: dict[str, Any]) -> str:
    return reverse("validation:run", args=[told["run"]])


def _record_href(identity: str) -> str:
    try:
        return reverse("audit:record", args=[identity])
    except NoReverseMatch:
        return ""  # this installation serves no record pages


def _state(told: dict[str, Any]) -> str:
    outcome: str = told["outcome"]
    return STATES.get(outcome, outcome)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
