"""Middleware: a session lives by its person's own requests alone, and a page needs one.

What a page fetches by itself (streams, polls) lies below ``/live/`` or says ``X-Background: 1``;
it is answered while the session lives and never extends it.
"""

from typing import Any
from urllib.parse import urlencode

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from audit import sessions

LIVE, API = "/live/", "/api/"


def is_own(request: HttpRequest) -> bool:
    """Whether the person made this request, rather than a page that stands open."""
    return not (request.path.startswith(LIVE) or request.headers.get("X-Background") == "1")


class SessionLimits:
    """Ends sessions whose time is over, and notes a person's own requests in the others."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self.__acall__(request)
        check(request)
        return self.get_response(request)

    async def __acall__(self, request: HttpRequest) -> Any:
        await sync_to_async(check)(request)
        return await self.get_response(request)


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

    The interface below ``/api/`` answers for itself.
    """

    def process_view(self, request: Any, view: Any, args: Any, options: Any) -> Any:
        if request.path.startswith(API):
            return None
        return super().process_view(request, view, args, options)

    def handle_no_permission(self, request: HttpRequest, view: Any) -> HttpResponse:
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


def safe_next(request: HttpRequest, wanted: str | None) -> str:
    """Return an address of ours to go on to; another host's is not followed."""
    hosts = {request.get_host()}
    if wanted and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts=hosts, require_https=request.is_secure()
    ):
        return wanted
    return "/"
