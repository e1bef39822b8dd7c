"""Each request has a time within which the database must have answered."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from audit.api import answers_within
from twin_core.config.middleware import EitherWay


class AnswerInTime(EitherWay):
    """Middleware: a database that is frozen ends the request with 503, not with a long wait.

    Streams and downloads are made after it and have no such end.
    """

    def respond(self, request: HttpRequest) -> Any:
        with answers_within(settings.DATABASE_ANSWERS_WITHIN):
            return self.get_response(request)

    async def arespond(self, request: HttpRequest) -> Any:
        with answers_within(settings.DATABASE_ANSWERS_WITHIN):
            return await self.get_response(request)
