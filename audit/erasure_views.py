"""Erasing a person's personal text from their page: signed, and final."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from audit import erasures, identity, proofs, refusals
from audit.forms import SigningForm
from audit.models import Role, User
from audit.people_views import person_page
from audit.refusals import Refused


@never_cache
@sensitive_post_parameters("password", "code")
@require_POST
def erase(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Sign the erasure; a refusal is recorded and shown in the dialog, which stays open."""
    by: Any = request.user
    identity.require_role(by, Role.SYSTEM_ADMINISTRATOR, to="erase personal text")
    person = get_object_or_404(User, pk=pk)
    form = SigningForm(request.POST, auto_id="erase-%s")
    if not form.is_valid():
        return _again(request, person, form, status=422)
    try:
        _erase(person, by, form.cleaned_data)
    except Refused as refusal:
        refusals.record(refusal, actor=by, where=request.path)
        form.add_error(None, f"{refusal.reason}. {refusal.what_to_do}")
        return _again(request, person, form, status=refusal.status)
    messages.success(request, "Erased. The act is on the record; the text is nowhere any more.")
    return redirect("people:person", pk=pk)


def _erase(person: User, by: User, given: dict[str, str]) -> None:
    proof = proofs.prove(by, password=given["password"], code=given["code"])
    erasures.erase(person, by=by, proof=proof, reason=given["reason"], shown=given["view"])


def _again(request: HttpRequest, person: User, form: SigningForm, *, status: int) -> HttpResponse:
    page = person_page(request, person, erasing=form)
    return render(request, "audit/person.html", {"page": page}, status=status)
