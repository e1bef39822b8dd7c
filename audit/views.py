"""The trail and its records as pages. Reading needs a role; each look at the trail is recorded."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from audit import exports, identity, ledger, refusals
from audit.desk import scope
from audit.desk.conditions import SearchRefused
from audit.exports.rights import EXPORTERS
from audit.guards import contents
from audit.models import Blob, Record, Role
from audit.outside.standing import standing
from audit.pages import Pages, TrailPage
from audit.record_pages import record_page, trail_address
from audit.retention.citation import stand_in
from audit.retention.views import dropped_record
from audit.trail_pages import ExportForm, TrailForm, export_dialog, note_look, trail_page

READERS = tuple(Role)  # everybody with a role reads


@never_cache
@require_safe
def trail(request: HttpRequest) -> HttpResponse:
    """Show the records that fit the filters, newest first; the look is recorded before it."""
    return _trail(request, ExportForm())


def _trail(request: HttpRequest, export_form: ExportForm) -> HttpResponse:
    user: Any = request.user
    identity.require_role(user, *READERS, to="read the trail")
    form = TrailForm(request.GET, scope.of(user))
    page = replace(_looked_at(form, request) or _nothing(form), outside=standing())
    if EXPORTERS & identity.current_roles(user) and not form.errors:
        dialog = export_dialog(request.GET, export_form, actor=user)
        page = replace(page, export=dialog, exports_href=reverse("audit:exports"))
    status = 400 if form.errors or export_form.errors else 200
    return render(request, "audit/trail.html", {"page": page}, status=status)


def _looked_at(form: TrailForm, request: HttpRequest) -> TrailPage | None:
    """Return the page after recording the look; None, with errors on the form, if unreadable."""
    user: Any = request.user
    if not form.is_valid():
        return None
    with transaction.atomic():
        note_look(form.filters(), actor=user)
    try:
        return trail_page(form, request.GET)
    except ValidationError as error:
        form.add_error(None, error)
    except SearchRefused as refusal:
        form.add_error(None, f"{refusal.reason}. {refusal.what_to_do}")
    return None


def _nothing(form: TrailForm) -> TrailPage:
    return TrailPage(form, (), Pages(0), clear_href=reverse("audit:trail"))


@never_cache
@require_POST
def export(request: HttpRequest) -> HttpResponse:
    """Ask for an export of what is filtered; it is recorded, and made in the background."""
    user: Any = request.user
    identity.require_role(user, *EXPORTERS, to="export the trail")
    form, asked = TrailForm(request.GET, scope.of(user)), ExportForm(request.POST)
    if not (form.is_valid() and asked.is_valid()):
        return _trail(request, asked)
    told: dict[str, Any] = form.filters().given()
    reason, formats = asked.cleaned_data["reason"], asked.formats()
    try:
        filters = exports.Filters(**told)
        exports.jobs.ask(filters=filters, formats=formats, actor=user, reason=reason)
    except exports.ExportRefused as refusal:
        refusals.record(refusal, actor=user, where=f"{request.method} {request.path}")
        asked.add_error(None, f"{refusal}.")
        return _trail(request, asked)
    return redirect("audit:exports")


@never_cache
@require_safe
def record(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one record with its proof, checked now; of a dropped one what is kept."""
    if stand_in(pk) is not None:
        identity.require_role(request.user, *READERS, to="read records")
        return dropped_record(request, pk)
    found = _readable(request, pk)
    page = record_page(found, scope.of(request.user))
    place = "not sealed yet" if page.sequence is None else f"No. {page.sequence}"
    crumbs = [
        ("Trail", reverse("audit:trail")),
        (found.stream, trail_address(stream=found.stream)),
        (place, ""),
    ]
    return render(request, "audit/record.html", {"page": page, "crumbs": crumbs})


@never_cache
@require_safe
def payload(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the bytes that were hashed."""
    found = _readable(request, pk)
    return _attachment(found.payload.encode(), "application/json", f"record-{pk}.json")


@never_cache
@require_safe
def blob(request: HttpRequest, pk: UUID, digest: str) -> HttpResponse:
    """Give a content that the record cites; no other is to be had here."""
    found = _readable(request, pk)
    if digest not in ledger.content(found)["blobs"]:
        raise Http404("the record does not cite this content")
    kept = get_object_or_404(Blob, pk=digest)
    return _attachment(contents.given_out(digest), kept.media_type, digest)


def _readable(request: HttpRequest, pk: UUID) -> Record:
    user: Any = request.user
    identity.require_role(user, *READERS, to="read records")
    found = get_object_or_404(Record, pk=pk)
    scope.of(user).require(found.stream)
    return found


def _attachment(content: bytes, media_type: str, name: str) -> HttpResponse:
    """Return a download; never shown in the page's own origin, whatever it holds."""
    response = HttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
