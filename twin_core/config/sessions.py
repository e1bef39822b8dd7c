"""Middleware: a session lives by its person's own requests alone, and a page needs one.

What a page fetches by itself (streams, polls) lies below ``/live/`` or says ``X-Background: 1``;
it is answered while the session lives and never extends it.
"""

from functools import partial
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from audit.api import current_roles, sessions
from twin_core.config.middleware import EitherWay

LIVE, API = "/live/", "/api/"
OWN = ("/account/", "/session/", "/live/session/")  # every person's


def is_own(request: HttpRequest) -> bool:
    """Whether the person made this request, rather than a page that stands open."""
    return not (request.path.startswith(LIVE) or request.headers.get("X-Background") == "1")


class SessionLimits(EitherWay):
    """Ends sessions whose time is over, and notes a person's own requests in the others."""

    def respond(self, request: HttpRequest) -> Any:
        check(request)
        return self.get_response(request)

    async def arespond(self, request: HttpRequest) -> Any:
        await sync_to_async(check)(request)
        request.auser = partial(known_user, request)  # Django's asks the database from the loop
        return await self.get_response(request)


async def known_user(request: HttpRequest) -> Any:
    """Return the user that ``check`` has read already."""
    return request.user


def is_permitted(request: HttpRequest, view: Any) -> bool:
    """Whether the person may go there at all; what they may do there the services decide."""
    is_open = not getattr(view, "login_required", True)
    return is_open or request.path.startswith(OWN) or bool(current_roles(request.user))


def check(request: HttpRequest) -> None:
    """End the request's session when its time is over; else let an own request extend it."""
    if not request.user.is_authenticated:
        return
    now = timezone.now()
    if cause := sessions.end_over(request.session, now=now):
        sessions.expire(request, cause, now=now)
        request.session_ended = "timed_out"  # type: ignore[attr-defined]
    elif is_own(request):
        sessions.touch(request.session, now=now)


class SignInRequired(LoginRequiredMiddleware):
    """Refuses every page without a session, except those that say ``login_not_required``.

    A person without any role gets to the own account and nowhere else. The interface below
    ``/api/`` answers for itself.
    """

    def process_view(self, request: Any, view: Any, args: Any, options: Any) -> Any:
        if request.path.startswith(API) and hasattr(view, "cls"):  # REST framework's
            return None
        answer = super().process_view(request, view, args, options)
        if answer is None and request.user.is_authenticated and not is_permitted(request, view):
            raise PermissionDenied("you hold no role yet; a system administrator grants roles")
        return answer

    def handle_no_permission(self, request: HttpRequest, view: Any) -> Any:
        ended = getattr(request, "session_ended", None)
        target = "/signed-out/" if ended else "/sign-in/"
        where = {"cause": ended} if ended else {}
        if is_own(request) and request.method == "GET":
            where["next"] = request.get_full_path()
        address = f"{target}?{urlencode(where)}" if where else target
        if not is_own(request):
            return HttpResponse(status=401)
        if request.headers.get("HX-Request"):
            return HttpResponse(status=401, headers={"HX-Redirect": address})
        return HttpResponseRedirect(address)
