"""The page for what went wrong on our side: a service that is away, or a fault of ours."""

import sys

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone

from audit import software
from audit.api import standing
from twin_core.web.shell import Shell

RETRY = 5  # seconds


def failed(request: HttpRequest) -> HttpResponse:
    """Answer an error that nobody caught: 503 while the database is away, otherwise 500.

    Asks neither session nor database, which may be what failed. Django logs the error itself.
    """
    error = sys.exc_info()[1]
    is_away = isinstance(error, OperationalError | InterfaceError)
    closed = standing.refusal_in(error) if error else None
    frame = Shell(
        site_name=settings.SITE_NAME,
        site_zone=settings.SITE_TIME_ZONE,
        now=timezone.now(),
        version=software.version(),
        build=software.build_digest(),
    )
    status = 503 if is_away else 500
    context = {"shell": frame, "reason": closed, "is_closed": closed is not None}
    response = HttpResponse(render_to_string(f"{status}.html", context), status=status)
    if is_away:
        response["Retry-After"] = str(RETRY)
    return response
