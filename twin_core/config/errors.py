"""Refusals at the edges: an answer that says what to do, and a record of the attempt."""

import sys
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from audit.api import NotEntitled, Refused, contents, refusals, standing
from models_registry.api import TransitionRefused as PhaseRefused
from twin_core.config.middleware import EitherWay
from twin_core.lifecycle.table import TransitionRefused
from twin_core.web import errors as pages

log = structlog.get_logger("errors")
PROBLEM = "application/problem+json"  # RFC 9457
CLOSED = {
    "code": "ledger_closed",
    "what_to_do": "Nothing was done. Two persons open a new epoch; tell the system administrator.",
}
ADVICE = {
    400: "Correct what the message names and send the request again.",
    401: "Sign in at /api/session/ and send the request with its session cookie.",
    403: "Ask a person who holds the role, or a system administrator about yours.",
    404: "Check the address; a list of the addresses is at /api/docs/.",
    405: "Use one of the methods that the header Allow names.",
    409: "Read the reason, open the item again and decide anew.",
    422: "Leave out what the message names and send the request again.",
    415: "Send JSON with the header Content-Type: application/json.",
    500: "Look at the trail to see whether the act was done before you repeat it; tell the system "
    "administrator the time.",
    503: "Nothing was done. Try again when the page of the system's health shows no fault.",
}


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an error of the interface as a problem document (REST framework's handler)."""
    request = context["request"]
    if (refusal := as_refusal(error)) is not None:
        record(refusal, request)
        return answer_to(refusal, request)
    if (closed := standing.refusal_in(error)) is not None:
        return _document(request, 503, "The ledger is closed", closed, **CLOSED)
    if isinstance(error, OperationalError | InterfaceError):
        log.error("database unavailable", error=str(error), path=request.path)
        return _document(request, 503, "The record store does not answer", "nothing was done")
    response = exception_handler(error, context)
    if response is None:
        return None  # a fault of ours: logged and answered by Django without details
    return _of_framework(error, response, request)


def as_refusal(error: Exception) -> Refused | None:
    """Return the refusal that an exception means; None when it means something else."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, TransitionRefused | PhaseRefused):
        return Refused(str(error))
    if (mismatch := contents.mismatch_in(error)) is not None:
        return contents.ContentDamaged.of(mismatch)
    if isinstance(error, PermissionDenied | exceptions.PermissionDenied):
        return NotEntitled(str(error) or "this is not permitted", act="audit.access")
    return None


def record(refusal: Refused, request: Any) -> None:
    """Leave the record of an attempt, and of a damaged content that it met.

    When it cannot be written that is logged, never hidden.
    """
    try:
        if isinstance(refusal, contents.ContentDamaged):
            contents.tell_damaged(**refusal.data)
        refusals.record(refusal, where=f"{request.method} {request.path}")
    except (OperationalError, InterfaceError) as error:
        log.error("refusal not recorded", reason=refusal.reason, error=str(error))


def answer_to(refusal: Refused, request: Any) -> Response:
    facts = {"what_to_do": refusal.what_to_do}
    if (code := getattr(refusal, "code", None)) is not None:
        facts["code"] = code
    if (moment := getattr(refusal, "next_code_at", None)) is not None:
        facts["next_code_at"] = moment.isoformat()
    return _document(request, refusal.status, "Refused", refusal.reason, **facts)


def _of_framework(error: Exception, response: Response, request: Any) -> Response:
    detail = getattr(error, "detail", None)
    facts: dict[str, Any] = {}
    if isinstance(error, exceptions.ValidationError):
        facts["errors"], detail = response.data, "the request does not hold what is needed"
    title = getattr(error, "default_detail", None) or "Not found"
    answer = _document(
        request, response.status_code, str(title).rstrip("."), str(detail or title), **facts
    )
    for name in ("Allow", "WWW-Authenticate", "Retry-After"):
        if name in response.headers:
            answer[name] = response.headers[name]
    return answer


def _document(request: Any, status: int, title: str, detail: str, **facts: Any) -> Response:
    body = _body(request, status, title, detail) | facts
    return Response(body, status=status, content_type=PROBLEM)


def _body(request: Any, status: int, title: str, detail: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.path,
        "what_to_do": ADVICE.get(status, ADVICE[400]),
    }


class RefusalPages(EitherWay):
    """Middleware: a refusal that a page's view lets through becomes a page that says why."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        refusal = as_refusal(error)
        return None if refusal is None else forbidden(request, refusal)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what a view or a middleware refused (Django's handler403 too)."""
    refusal = as_refusal(exception) or NotEntitled(str(exception), act="audit.access")
    record(refusal, request)
    context = {"refusal": refusal, "back": "/" if request.method == "GET" else request.path}
    return render(request, "audit/refused.html", context, status=refusal.status)


def failed(request: HttpRequest) -> HttpResponse:
    """Answer a fault of ours (Django's handler500): a silent database is named, details are not."""
    if not request.path.startswith("/api/"):
        return pages.failed(request)
    error = sys.exc_info()[1]
    if (closed := standing.refusal_in(error) if error else None) is not None:
        body = _body(request, 503, "The ledger is closed", closed) | CLOSED
        return JsonResponse(body, status=503, content_type=PROBLEM)
    silent = isinstance(error, OperationalError | InterfaceError)
    status = 503 if silent else 500
    detail = "the record store does not answer" if silent else "a fault on our side"
    body = _body(request, status, "Nothing was done" if silent else "Failed", detail)
    return JsonResponse(body, status=status, content_type=PROBLEM)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form without its token, and record the attempt."""
    record(NotEntitled("the form's token is missing or old", act="audit.access"), request)
    return render(
        request, "403.html", {"reason": "Reload the page and send the form again."}, status=403
    )
