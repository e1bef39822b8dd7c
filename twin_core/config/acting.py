"""Middleware: records written during a request say who asked, in which session, from where.

What a stream writes after its first answer is outside; it names its actor itself.
"""

from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest

from audit import actors, sessions


class Acting:
    """Carries the person along; without a session the web process itself acts."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self.__acall__(request)
        with acting(request, request.user):
            return self.get_response(request)

    async def __acall__(self, request: HttpRequest) -> Any:
        user = await request.auser()
        with acting(request, user):
            return await self.get_response(request)


def acting(request: HttpRequest, user: Any) -> Any:
    who = user if user.is_authenticated else actors.process_actor()
    key = request.session.session_key if user.is_authenticated else None
    return actors.acting(who, session=sessions.short(key), address=sessions.address_of(request))
