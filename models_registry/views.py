"""Pages of the registry: every version, one version, and its acts to sign."""

from datetime import UTC
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from audit import api as audit
from models_registry import version_pages, versions
from models_registry.forms import AsOfForm, SigningForm
from models_registry.models import ModelVersion
from models_registry.pages import ModelsPage


@require_safe
@login_required
def models(request: HttpRequest) -> HttpResponse:
    """Show every version; with ``as_of`` those that were in force at that moment."""
    form = AsOfForm(request.GET)
    asked = form.cleaned_data["as_of"] if form.is_valid() else None
    moment = asked.replace(tzinfo=UTC) if asked else None
    page = ModelsPage(rows=version_pages.rows_at(moment), as_of=moment)
    return render(request, "models_registry/models.html", {"page": page, "form": form})


@require_safe
@login_required
@never_cache
def version(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one version with the acts that are this person's."""
    return _page(request, _version_or_404(pk))


@require_POST
@login_required
@sensitive_post_parameters("password", "code")
def act(request: HttpRequest, pk: UUID, action: str) -> HttpResponse:
    """Sign an act; a refusal is recorded and shown in the dialog, which stays open."""
    shown = _version_or_404(pk)
    if action not in versions.SIGNED:
        raise Http404(f"there is no act {action}")
    form = SigningForm(request.POST, auto_id=f"{action}-%s")
    if not form.is_valid():
        return _page(request, shown, opened=(action, form), status=422)
    try:
        signed = _sign(request, pk, action, form.cleaned_data)
    except audit.Refused as refusal:
        audit.record_refusal(refusal, actor=request.user, where=request.path)
        form.add_error(None, f"{refusal.reason}. {refusal.what_to_do}")
        return _page(request, _version_or_404(pk), opened=(action, form), status=refusal.status)
    messages.success(request, f"Signed: {signed.name} is {signed.phase.replace('_', ' ')}.")
    return redirect("models_registry:version", pk=pk)


def _sign(request: HttpRequest, pk: UUID, action: str, given: dict[str, Any]) -> ModelVersion:
    signer: Any = request.user
    proof = audit.prove(signer, password=given["password"], code=given["code"])
    return versions.SIGNED[action](
        pk, signer=signer, proof=proof, reason=given["reason"], shown=given["view"]
    )


def _version_or_404(pk: UUID) -> ModelVersion:
    return get_object_or_404(ModelVersion.objects.select_related("model", "record"), pk=pk)


def _page(
    request: HttpRequest, shown: ModelVersion, *, opened: Any = None, status: int = 200
) -> HttpResponse:
    page = version_pages.version_page(shown, request.user, opened=opened)
    crumbs = [("Models", reverse("models_registry:models")), (shown.name, "")]
    context = {"page": page, "crumbs": crumbs}
    return render(request, "models_registry/version.html", context, status=status)
