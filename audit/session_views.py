"""Signing in and out, and how long a session lasts."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from audit import sessions
from audit.forms import SignInForm
from audit.proofs import SignatureRefused

CAUSES = {"left", "timed_out", "ended"}


@login_not_required
@never_cache
@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for name, password and code; a refusal says when the next attempt makes sense."""
    form, wanted = SignInForm(request.POST or None), request.POST.get("next", "")
    if request.method == "POST" and form.is_valid():
        try:
            sessions.sign_in(request, **form.cleaned_data)
        except SignatureRefused as refusal:
            form.add_error(None, f"{_sentence(refusal.reason)} {refusal.what_to_do}")
        else:
            return redirect(safe_next(request, wanted))
    context = {"form": form, "next": safe_next(request, wanted or request.GET.get("next"))}
    return render(request, "audit/sign_in.html", context, status=403 if form.errors else 200)


@login_not_required
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    sessions.sign_out(request)
    return redirect(reverse("people:signed_out") + "?cause=left")


@login_not_required
@never_cache
@require_GET
def signed_out(request: HttpRequest) -> HttpResponse:
    cause = request.GET.get("cause", "")
    context = {
        "cause": cause if cause in CAUSES else "ended",
        "sign_in_href": _sign_in_address(request),
    }
    return render(request, "web/signed_out.html", context)


@never_cache
@require_POST
def extend(request: HttpRequest) -> JsonResponse:
    """Go on: the middleware has taken this request as the person's own."""
    return _ends(request)


@never_cache
@require_GET
def left(request: HttpRequest) -> JsonResponse:
    """Say when the session ends, for pages that ask by themselves; it does not extend it."""
    return _ends(request)


def _ends(request: HttpRequest) -> JsonResponse:
    ends = sessions.ends_at(request.session)
    return JsonResponse({"ends": ends.isoformat() if ends else None})


def safe_next(request: HttpRequest, wanted: str | None) -> str:
    """Return an address of ours to go on to; another host's is not followed."""
    hosts: set[Any] = {request.get_host()}
    if wanted and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts=hosts, require_https=request.is_secure()
    ):
        return wanted
    return "/"


def _sign_in_address(request: HttpRequest) -> str:
    wanted = safe_next(request, request.GET.get("next"))
    query = HttpRequest().GET.copy()
    query["next"] = wanted
    return f"{reverse('people:sign_in')}?{query.urlencode(safe='/')}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
