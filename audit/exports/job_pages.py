"""The page of a person's exports: what is under way, what can be fetched, what has ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.urls import reverse

from audit.exports import jobs
from audit.exports.copies.cover import FILTERS
from audit.exports.cut import FORMATS
from audit.models import ExportJob, User
from audit.pages import SigningDialog

SHOWN = 50  # newest exports on the page
BADGES = {jobs.State.RUNNING: "making", jobs.State.DELETED: "files deleted"}
STEPS = {"records": "Records and proofs", "contents": "Contents", **FORMATS}


@dataclass(frozen=True)
class ExportRow:
    """One export. ``rate`` is in lines a second; ``left`` in seconds, None while unknown."""

    id: str
    state: str
    asked_at: datetime
    reason: str
    scope: str
    filters: Sequence[tuple[str, str]]
    formats: Sequence[str]
    tree_size: int
    step: str = ""
    done: int = 0
    total: int = 0
    rate: float = 0.0
    left: float | None = None
    error: str = ""
    size: int = 0
    digest: str = ""
    manifest: str = ""
    download_href: str = ""
    cancel: SigningDialog | None = None

    @property
    def is_open(self) -> bool:
        return self.cancel is not None


@dataclass(frozen=True)
class ExportsPage:
    """``audit/exports.html`` and, of it, ``audit/_exports.html``."""

    rows: Sequence[ExportRow]
    trail_href: str
    refresh_href: str = ""  # where the list asks again; empty when nothing is under way


class CancelForm(forms.Form):
    reason = forms.CharField(label="Reason", min_length=3, max_length=500)


def exports_page(person: User, *, cancelled: tuple[ExportJob, forms.Form] | None = None) -> Any:
    """Return the page; ``cancelled`` is an export with a form to cancel it that was refused."""
    rows = [_row(job, person, cancelled) for job in jobs.of(person)[:SHOWN]]
    is_alive = any(row.is_open for row in rows)
    return ExportsPage(
        rows=rows,
        trail_href=reverse("audit:trail"),
        refresh_href=reverse("audit:exports_list") if is_alive else "",
    )


def _row(job: ExportJob, person: User, refused: tuple[ExportJob, forms.Form] | None) -> ExportRow:
    cut = jobs.cut_of(job)
    form = refused[1] if refused and refused[0].pk == job.pk else CancelForm()
    is_done = job.state == jobs.State.DONE
    return ExportRow(
        id=str(job.pk),
        state=BADGES.get(jobs.State(job.state), job.state),
        asked_at=job.asked_at,
        reason=cut.reason,
        scope=cut.scope,
        filters=[(FILTERS[name], _text(value)) for name, value in cut.filters.items()],
        formats=[FORMATS[name] for name in cut.formats],
        tree_size=cut.tree_size,
        step=STEPS.get(job.step, ""),
        done=job.done,
        total=job.total,
        rate=_rate(job),
        left=_left(job),
        error=job.error,
        size=job.file_size,
        digest=job.file_digest,
        manifest=job.manifest,
        download_href=reverse("audit:download_export", args=[job.pk]) if is_done else "",
        cancel=_cancel_dialog(job, person, form) if job.state in jobs.OPEN else None,
    )


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _rate(job: ExportJob) -> float:
    return job.done / job.seconds if job.seconds else 0.0


def _left(job: ExportJob) -> float | None:
    """Return the seconds of work that are left at the rate so far."""
    rate = _rate(job)
    return (job.total - job.done) / rate if rate and job.total else None


def _cancel_dialog(job: ExportJob, person: User, form: forms.Form) -> SigningDialog:
    return SigningDialog(
        id=f"cancel-{job.pk}",
        title="Cancel the export",
        action_href=reverse("audit:cancel_export", args=[job.pk]),
        statement="The export stops and what was written of it is deleted. This is recorded.",
        view_digest="",
        printed_name=person.printed_name,
        form=form,
        submit_label="Cancel the export",
        is_danger=True,
        needs_signature=False,
        is_open=form.is_bound,
    )
