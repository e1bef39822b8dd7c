"""The trail and its records as pages. Reading needs a role; each look at the trail is recorded."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audit import identity, ledger
from audit.models import Blob, Record, Role
from audit.pages import Pages, TrailPage
from audit.record_pages import record_page, trail_address
from audit.trail_pages import TrailForm, note_look, trail_page

READERS = tuple(Role)  # everybody with a role reads
EXPORTERS = {Role.AUDITOR, Role.QA_REVIEWER, Role.QA_APPROVER}


@never_cache
@require_safe
def trail(request: HttpRequest) -> HttpResponse:
    """Show the records that fit the filters, newest first; the look is recorded before it."""
    user: Any = request.user
    identity.require_role(user, *READERS, to="read the trail")
    form = TrailForm(request.GET)
    may_export = bool(EXPORTERS & identity.current_roles(user))
    try:
        page = _looked_at(form, request, may_export=may_export)
    except ValidationError as error:
        form.add_error(None, error)
        page = None
    if page is None:
        page = TrailPage(form, (), Pages(0), clear_href=reverse("audit:trail"))
    status = 400 if form.errors else 200
    return render(request, "audit/trail.html", {"page": page}, status=status)


def _looked_at(form: TrailForm, request: HttpRequest, *, may_export: bool) -> TrailPage | None:
    if not form.is_valid():
        return None
    with transaction.atomic():
        note_look(form.filters(), actor=request.user)  # type: ignore[arg-type]
    return trail_page(form, request.GET, may_export=may_export)


@never_cache
@require_safe
def record(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one record with its proof, checked now."""
    found = _readable(request, pk)
    page = record_page(found)
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
    return _attachment(ledger.get_blob(digest), kept.media_type, digest)


def _readable(request: HttpRequest, pk: UUID) -> Record:
    user: Any = request.user
    identity.require_role(user, *READERS, to="read records")
    return get_object_or_404(Record, pk=pk)


def _attachment(content: bytes, media_type: str, name: str) -> HttpResponse:
    """Return a download; never shown in the page's own origin, whatever it holds."""
    response = HttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
