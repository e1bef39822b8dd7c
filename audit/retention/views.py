"""The page "Archive and holds" and its signed acts. Everybody with a role reads it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from audit import identity, refusals, signatures
from audit.models import DroppedRecord, LegalHold, Role
from audit.refusals import Refused
from audit.retention import drops, holds
from audit.retention.citation import stand_in
from audit.retention.forms import HoldForm, SignForm
from audit.retention.pages import Bound, archive_page

Act = Callable[..., Any]


@never_cache
@require_safe
def archive(request: HttpRequest) -> HttpResponse:
    """Show months, holds and the policy in force."""
    return _page(request, request.GET)


def _page(request: HttpRequest, query: QueryDict, bound: Bound | None = None) -> HttpResponse:
    user: Any = request.user
    identity.require_role(user, *Role, to="read the archive")
    page = archive_page(user, query, bound)
    refusal = getattr(bound.form, "refusal", None) if bound else None
    status = refusal.status if refusal else 400 if bound else 200
    crumbs = [("Trail", reverse("audit:trail")), ("Archive and holds", "")]
    context = {"page": page, "crumbs": crumbs}
    return render(request, "audit/archive.html", context, status=status)


@never_cache
@sensitive_post_parameters()
@require_POST
def hold(request: HttpRequest) -> HttpResponse:
    asked = HoldForm(request.POST)
    if not asked.is_valid():
        return _page(request, request.POST)
    return _signed(request, "hold", holds.set_hold, asked.cleaned_data, "Hold set")


@never_cache
@sensitive_post_parameters()
@require_POST
def release(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = get_object_or_404(LegalHold, pk=pk)
    return _signed(request, f"release-{pk}", holds.release, {"identity": found.pk}, "Hold released")


@never_cache
@sensitive_post_parameters()
@require_POST
def approve_drop(request: HttpRequest, month: str) -> HttpResponse:
    return _signed(
        request, f"approve-{month}", drops.approve, {"month": month}, f"Drop of {month} approved"
    )


def _signed(
    request: HttpRequest, dialog: str, act: Act, given: dict[str, Any], said: str
) -> HttpResponse:
    """Prove, then act; a refusal stands in the dialog and on the record."""
    form, user = SignForm(request.POST), request.user
    if form.is_valid():
        told = form.cleaned_data
        try:
            proof = signatures.prove(user, password=told["password"], code=told["code"])  # type: ignore[arg-type]
            act(**given, signer=user, proof=proof, reason=told["reason"], shown=told["view"])
        except Refused as refusal:
            refusals.record(refusal, actor=user, where=f"{request.method} {request.path}")
            form.refusal = refusal  # type: ignore[attr-defined]
            form.add_error(None, f"{refusal.reason}. {refusal.what_to_do}")
        else:
            messages.success(request, f"{said}. It is on the record.")
            return redirect("audit:archive")
    query = request.POST if dialog == "hold" else request.GET
    return _page(request, query, Bound(dialog, form))


def dropped_record(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what is kept of a record whose text was dropped."""
    line = get_object_or_404(DroppedRecord, pk=pk)
    crumbs = [
        ("Trail", reverse("audit:trail")),
        ("Archive and holds", reverse("audit:archive")),
        (f"Record of {line.month}", ""),
    ]
    context = {"line": line, "record": stand_in(pk), "crumbs": crumbs}
    return render(request, "audit/dropped.html", context, status=410)
