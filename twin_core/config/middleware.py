"""What our middlewares share: they run in the sync and in the async chain alike."""

from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest


class EitherWay:
    """Passes requests on; a subclass overrides ``respond`` and ``arespond``."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        return self.arespond(request) if iscoroutinefunction(self) else self.respond(request)

    def respond(self, request: HttpRequest) -> Any:
        return self.get_response(request)

    async def arespond(self, request: HttpRequest) -> Any:
        return await self.get_response(request)
