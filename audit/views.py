"""The trail and its records as pages. Reading needs a role; each look at the trail is recorded."""

import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from audit import exports, identity, ledger
from audit.desk import scope
from audit.desk.conditions import SearchRefused
from audit.guards import contents
from audit.models import Blob, Record, Role
from audit.outside.standing import standing
from audit.pages import Pages, TrailPage
from audit.record_pages import record_page, trail_address
from audit.retention.citation import stand_in
from audit.retention.views import dropped_record
from audit.trail_pages import ExportForm, TrailForm, export_dialog, note_look, trail_page

READERS = tuple(Role)  # everybody with a role reads
EXPORTED_BY = {"stream", "kind", "person", "since", "until", "text"}  # filters of an export
EXPORTERS = {Role.AUDITOR, Role.QA_REVIEWER, Role.QA_APPROVER}


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
        page = replace(page, export=export_dialog(request.GET, export_form, actor=user))
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
def export(request: HttpRequest) -> HttpResponseBase:
    """Give a bundle of what is filtered as one ZIP file; the export is recorded."""
    user: Any = request.user
    identity.require_role(user, *EXPORTERS, to="export the trail")
    form, asked = TrailForm(request.GET, scope.of(user)), ExportForm(request.POST)
    if not (form.is_valid() and asked.is_valid()):
        return _trail(request, asked)
    told: dict[str, Any] = form.filters().given()
    if unknown := sorted(set(told) - EXPORTED_BY):
        asked.add_error(None, f"An export does not know the filter {unknown[0]}: take it away.")
        return _trail(request, asked)
    try:
        packed = packed_bundle(exports.Filters(**told), actor=user, **asked.cleaned_data)
    except exports.ExportRefused as refusal:
        asked.add_error(None, f"{refusal}.")
        return _trail(request, asked)
    name = f"ledger-{timezone.now():%Y%m%dT%H%M%SZ}.zip"
    return FileResponse(packed, as_attachment=True, filename=name)


def packed_bundle(filters: exports.Filters, *, actor: Any, reason: str) -> IO[bytes]:
    """Return an open temporary file with the bundle as ZIP; it vanishes when it is closed."""
    packed = tempfile.TemporaryFile()  # noqa: SIM115  the response closes it
    with tempfile.TemporaryDirectory(prefix="export-") as place:
        folder = Path(place) / "bundle"
        exports.export(folder, filters=filters, actor=actor, reason=reason)
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, path.relative_to(folder.parent))
    packed.seek(0)
    return packed


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
