"""The health page, and the one act on it: sending parked work again."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from twin_core import outbox
from twin_core.data import rights
from twin_core.models import OutboxTask
from twin_core.web.health_pages import health_page
from twin_core.web.pages import ActPage
from twin_core.web.signing import ReasonForm, attempt, status_of


@never_cache
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Show how everything stands; asked in the background it gives the tiles alone."""
    rights.require_reader(request.user)
    in_background = request.headers.get("X-Background") == "1"
    template = "web/_health_tiles.html" if in_background else "web/health.html"
    return render(request, template, {"page": health_page(request.user)})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Send parked work again, with a reason."""
    person: Any = request.user
    rights.require(person, "retry parked work")
    task = get_object_or_404(OutboxTask, pk=pk)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    made = attempt(
        request,
        form,
        lambda given: outbox.retry(task.pk, actor=person, **given),
        thing="twin_core.outbox_task",
        stream=outbox.STREAM,
    )
    if made is not None:
        messages.success(request, f"{task.key} is sent again.")
        return redirect("web:health")
    page = ActPage(
        title="Retry parked work",
        statement="The same work is done again with the same input. Done twice it changes "
        "nothing, so a retry does no harm; if it fails again it is parked again.",
        facts=[("Work", task.key), ("What stopped it", task.error or "not said")],
        form=form,
        submit_label="Retry",
        back_href=reverse("web:health"),
    )
    crumbs = [("Health", reverse("web:health")), (page.title, "")]
    status = status_of(form) if form.is_bound else 200
    return render(request, "web/act.html", {"page": page, "crumbs": crumbs}, status=status)
