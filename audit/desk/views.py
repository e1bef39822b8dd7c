"""Lineage and past moments as pages; each look is recorded as one at the trail is."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audit import identity
from audit.desk import scope
from audit.desk.as_of_pages import MomentForm, as_of_page, empty_page
from audit.desk.lineage_pages import lineage_page
from audit.models import Record, Role
from audit.trail import Filters
from audit.trail_pages import note_look

READERS = tuple(Role)


@never_cache
@require_safe
def lineage(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what a record rests on and what rests on it."""
    user: Any = request.user
    identity.require_role(user, *READERS, to="read records")
    found, seen = get_object_or_404(Record, pk=pk), scope.of(user)
    seen.require(found.stream)
    page = lineage_page(found, request.GET, seen)
    crumbs = [("Trail", reverse("audit:trail")), (page.words, page.record_href), ("Lineage", "")]
    return render(request, "audit/lineage.html", {"page": page, "crumbs": crumbs})


@never_cache
@require_safe
def as_of(request: HttpRequest) -> HttpResponse:
    """Show a subject as it was at a moment, beside what it is now."""
    user: Any = request.user
    identity.require_role(user, *READERS, to="read the trail")
    seen = scope.of(user)
    form = MomentForm(request.GET, seen)
    crumbs = [("Trail", reverse("audit:trail")), ("State at a moment", "")]
    if not (form.is_bound and form.is_valid()):
        status = 400 if form.is_bound and form.errors else 200
        context = {"page": empty_page(form), "crumbs": crumbs}
        return render(request, "audit/as_of.html", context, status=status)
    asked = form.cleaned_data
    with transaction.atomic():
        note_look(
            Filters(subject_type=asked["type"], subject=asked["id"], until=asked["moment"]),
            actor=user,
        )
    context = {"page": as_of_page(form, seen), "crumbs": crumbs}
    return render(request, "audit/as_of.html", context)
