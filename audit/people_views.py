"""People and roles, as of any moment; a person's page and the own account."""

from collections.abc import Callable
from datetime import UTC
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import HASH_SESSION_KEY
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from audit import credentials, identity, ledger, proofs, refusals, sessions
from audit.desk import scope
from audit.desk.forms import ScopeForm
from audit.erasure_pages import erasure_dialog
from audit.forms import AsOfForm, ChangePasswordForm, NewPersonForm, ReasonForm, RoleForm
from audit.models import Role, User
from audit.pages import PeoplePage, PersonRow
from audit.people_pages import AccountPage, PersonPage
from audit.refusals import Refused
from audit.words import headline


def people(request: HttpRequest) -> HttpResponse:
    """Show everybody with their roles, now or as of a moment."""
    form = AsOfForm(request.GET)
    asked = form.cleaned_data["as_of"] if form.is_valid() else None
    moment = asked.replace(tzinfo=UTC) if asked else None
    rows = [_row(person) for person in identity.people_as_of(moment)]
    page = PeoplePage(form=form, rows=rows, as_of=moment or timezone.now(), is_now=not moment)
    may_add = Role.SYSTEM_ADMINISTRATOR in identity.current_roles(request.user)
    context = {"page": page, "new_person": NewPersonForm(prefix="new") if may_add else None}
    return render(request, "audit/people.html", context)


def _row(person: identity.PersonThen) -> PersonRow:
    return PersonRow(
        printed_name=person.printed_name,
        username=person.username,
        roles=[Role(role).label for role in sorted(person.roles)],
        state="active" if person.is_active else "inactive",
        since=person.since,
        record_href=reverse("people:person", args=[person.id]),
    )


@require_http_methods(["GET", "HEAD"])
def person(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = get_object_or_404(User, pk=pk)
    return render(request, "audit/person.html", {"page": person_page(request, user)})


def person_page(request: HttpRequest, user: User, *, erasing: Any = None) -> PersonPage:
    """Return a person's page; ``erasing`` is the form of an erasure that was refused."""
    held = sorted(identity.current_roles(user))
    administers = Role.SYSTEM_ADMINISTRATOR in identity.current_roles(request.user)
    return PersonPage(
        person=user,
        roles=[(role, Role(role).label) for role in held],
        may_change=administers and user.pk != request.user.pk,
        is_self=user.pk == request.user.pk,
        grant=RoleForm(prefix="grant", roles=[role for role in Role.values if role not in held]),
        revoke=RoleForm(prefix="revoke", roles=held) if held else None,
        activity=ReasonForm(prefix="activity"),
        email=user.email_shown,
        erase=erasure_dialog(user, request.user, form=erasing),
        history=[
            (headline(record.kind, ledger.content(record)), record)
            for record in identity.history_of(user)
        ],
        scopes=scope.of(user).as_told(),
        scope=ScopeForm(prefix="scope"),
    )


Act = Callable[..., Any]


def _do(request: HttpRequest, pk: UUID, act: Act, said: str, form: Any) -> HttpResponse:
    """Run an act of an administrator and go back to the person's page; refusals go to the edge."""
    user = get_object_or_404(User, pk=pk)
    if not form.is_valid():
        messages.error(request, "Choose and give a reason; nothing was changed.")
        return redirect("people:person", pk=pk)
    act(user, by=request.user, **form.cleaned_data)
    messages.success(request, f"{said}. It is on the record.")
    return redirect("people:person", pk=pk)


@require_POST
def create(request: HttpRequest) -> HttpResponse:
    form = NewPersonForm(request.POST, prefix="new")
    if not form.is_valid():
        messages.error(request, "User name, printed name and a reason are needed.")
        return redirect("people:people")
    user = identity.create_person(by=request.user, **form.cleaned_data)
    messages.success(request, f"{user.printed_name} entered. It is on the record.")
    return redirect("people:person", pk=user.pk)


@require_POST
def grant(request: HttpRequest, pk: UUID) -> HttpResponse:
    form = RoleForm(request.POST, prefix="grant")
    return _do(request, pk, identity.grant_role, "Role granted", form)


@require_POST
def revoke(request: HttpRequest, pk: UUID) -> HttpResponse:
    form = RoleForm(request.POST, prefix="revoke")
    return _do(request, pk, identity.revoke_role, "Role revoked", form)


@require_POST
def limit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Limit what a person sees to a stream, beside the streams they have."""
    form = ScopeForm(request.POST, prefix="scope")
    return _do(request, pk, scope.grant, "Scope given", form)


@require_POST
def unlimit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take a stream from what a person is limited to."""
    form = ScopeForm(request.POST, prefix="scope")
    return _do(request, pk, scope.revoke, "Scope taken back", form)


@require_POST
def deactivate(request: HttpRequest, pk: UUID) -> HttpResponse:
    def act(user: User, **words: Any) -> None:
        identity.change_person(user, is_active=False, **words)

    form = ReasonForm(request.POST, prefix="activity")
    return _do(request, pk, act, "Account deactivated, its sessions ended", form)


@require_POST
def reactivate(request: HttpRequest, pk: UUID) -> HttpResponse:
    def act(user: User, **words: Any) -> None:
        identity.change_person(user, is_active=True, **words)

    form = ReasonForm(request.POST, prefix="activity")
    return _do(request, pk, act, "Account reactivated", form)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Show the own roles and sessions; change the own password."""
    form = ChangePasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _change_password(request, form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, f"{refusal.reason}. {refusal.what_to_do}")
            refusals.record(refusal, actor=request.user, where=request.path)
        else:
            messages.success(request, "Password changed; your other sessions have ended.")
            return redirect("people:account")
    user: Any = request.user
    page = AccountPage(
        person=user,
        roles=[Role(role).label for role in sorted(identity.current_roles(user))],
        sessions=sessions.open_sessions(user),
        here=request.session.session_key or "",
        next_code_at=credentials.next_code_at(user, timezone.now()),
        now=timezone.now(),
        form=form,
    )
    return render(request, "audit/account.html", {"page": page}, status=409 if form.errors else 200)


def _change_password(request: HttpRequest, given: dict[str, str]) -> None:
    user: Any = request.user
    proofs.prove(user, password=given["password"], code=given["code"], purpose=proofs.ACCOUNT)
    with transaction.atomic():
        credentials.set_password(
            user,
            given["new_password"],
            by=user,
            reason="changed by its owner",
            keep=request.session.session_key,
        )
        request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        request.session.save()  # with the credential, or a poll meanwhile would end the session
