"""Middleware: records written during a request say who asked, in which session, from where.

What a stream writes after its first answer is outside; it names its actor itself.
"""

from typing import Any

from django.http import HttpRequest

from audit import api as audit
from audit.api import sessions
from twin_core.config.middleware import EitherWay


class Acting(EitherWay):
    """Carries the person along; without a session the web process itself acts."""

    def respond(self, request: HttpRequest) -> Any:
        with acting(request, request.user):
            return self.get_response(request)

    async def arespond(self, request: HttpRequest) -> Any:
        with acting(request, await request.auser()):
            return await self.get_response(request)


def acting(request: HttpRequest, user: Any) -> Any:
    who = user if user.is_authenticated else audit.process_actor()
    key = request.session.session_key if user.is_authenticated else None
    return audit.acting(who, session=sessions.short(key), address=sessions.address_of(request))
