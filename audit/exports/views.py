"""The exports of a person: the list, stopping one, fetching one."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from audit import identity
from audit.exports import jobs, ranges
from audit.exports.filters import ExportRefused
from audit.exports.job_pages import CancelForm, exports_page
from audit.exports.rights import EXPORTERS
from audit.models import ExportJob


@never_cache
@require_safe
def exports(request: HttpRequest) -> HttpResponse:
    """Show a person's own exports, newest first."""
    return _page(request, "audit/exports.html")


@never_cache
@require_safe
def exports_list(request: HttpRequest) -> HttpResponse:
    """Give the list alone, to be drawn anew while something is under way."""
    return _page(request, "audit/_exports.html")


def _page(request: HttpRequest, template: str, **options: Any) -> HttpResponse:
    user: Any = request.user
    identity.require_role(user, *EXPORTERS, to="export the trail")
    status = options.pop("status", 200)
    return render(request, template, {"page": exports_page(user, **options)}, status=status)


@never_cache
@require_POST
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Stop an export that is under way; the reason is recorded."""
    user: Any = request.user
    job = get_object_or_404(ExportJob, pk=pk)
    jobs.require_own(job, user, to="cancel this export")
    form = CancelForm(request.POST)
    if not form.is_valid():
        return _page(request, "audit/exports.html", cancelled=(job, form), status=400)
    jobs.cancel(pk, actor=user, reason=form.cleaned_data["reason"])
    return redirect("audit:exports")


@never_cache
@require_safe
def download(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Give the one file of an export, or the range of it that is asked for; it is recorded."""
    user: Any = request.user
    identity.require_role(user, *EXPORTERS, to="export the trail")
    job = get_object_or_404(ExportJob, pk=pk)
    jobs.require_own(job, user, to="fetch this export")
    path = jobs.folder_of(job) / jobs.FILE
    if job.state != jobs.State.DONE or not path.is_file():
        raise ExportRefused(
            f"the export is {job.get_state_display().lower()}: it has no file to fetch",
            what_to_do="Wait until it is done, or ask for it again on the page of the trail.",
        )
    if request.method == "GET":
        wanted = ranges.asked_for(request, size=job.file_size, tag=f'"{job.file_digest}"')
        jobs.note_download(job, actor=user, first_byte=wanted[0] if wanted else -1)
    return ranges.answer(request, path, digest=job.file_digest, name=f"{jobs.name_of(job)}.zip")
