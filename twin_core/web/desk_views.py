"""The desk: what waits for the person who is signed in, and how the running batches are."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from twin_core.data import rights
from twin_core.web import queue, tiles
from twin_core.web.pages import DeskPage


@require_safe
def root(request: HttpRequest) -> HttpResponse:
    return redirect("web:desk")


@never_cache
@require_safe
def desk(request: HttpRequest) -> HttpResponse:
    """Show the queue; asked in the background it gives the lists alone."""
    rights.require_reader(request.user)
    page = desk_page(queue.Reader.of(request.user))
    in_background = request.headers.get("X-Background") == "1"
    template = "web/_desk.html" if in_background else "web/desk.html"
    return render(request, template, {"page": page})


def desk_page(reader: queue.Reader) -> DeskPage:
    rows = queue.Rows(reader)
    found = queue.open_rows()
    mine, others = rows.split(found)
    return DeskPage(
        mine=mine + queue.version_rows(reader),
        others=others,
        batches=[tiles.tile(rows.course(batch)) for batch in tiles.running()],
        recent=[rows.row(one) for one in queue.recent_rows()],
        live_href=reverse("web:stream", args=["all"]),
        refresh_href=reverse("web:desk"),
    )
