"""Batches: the list, a batch with its live course, and the acts of a process engineer on it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit import api as audit
from audit.pages import Pages, SigningDialog
from twin_core.data import batches as service
from twin_core.data import entry, quarantine, rights, trust
from twin_core.lifecycle.trust import Level, may_write
from twin_core.models import Batch, LabResult, QuarantinedSample
from twin_core.web import charts, csv_files, tiles
from twin_core.web.batch_pages import batch_page, first_sample
from twin_core.web.course import Course
from twin_core.web.forms import CorrectionForm, LabForm, StartForm
from twin_core.web.pages import ActPage, BatchesPage
from twin_core.web.signing import ReasonForm, attempt, dialog, status_of
from twin_core.web.words import sentence, tag_words

A_PAGE = 25  # ended batches in the list


def batch_of(number: str) -> Batch:
    rows = Batch.objects.select_related("equipment", "record")
    return get_object_or_404(rows, number=number)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def batches(request: HttpRequest) -> HttpResponse:
    """Show all batches; start one by POST."""
    person: Any = request.user
    rights.require_reader(person)
    form = StartForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        rights.require(person, "start a batch")
        made = attempt(
            request,
            form,
            lambda given: entry.start(person=person, **given),
            thing="twin_core.batch",
            stream="batches",
        )
        if made is not None:
            messages.success(request, f"{made.number} is followed from now on.")
            return redirect("web:batch", made.number)
    page = _batches_page(request, _start_dialog(person, form))
    status = status_of(form) if form.is_bound else 200
    return render(request, "web/batches.html", {"page": page}, status=status)


def _start_dialog(person: Any, form: Any) -> SigningDialog | None:
    if not rights.may(person, "start a batch"):
        return None
    return dialog(
        "start",
        title="Start a batch",
        action=reverse("web:batches"),
        statement="The twin follows this batch from now on. Its limits and starting values are "
        "those of the signed asset file.",
        form=form,
        person=person,
        submit_label="Start",
    )


def _batches_page(request: HttpRequest, start: SigningDialog | None) -> BatchesPage:
    ended = Batch.objects.exclude(state="running").select_related("equipment").order_by("-pk")
    if before := _uuid(request.GET.get("before")):
        ended = ended.filter(pk__lt=before)
    rows = list(ended[: A_PAGE + 1])
    more, rows = len(rows) > A_PAGE, rows[:A_PAGE]
    older = f"?before={rows[-1].pk}" if more else ""
    newer = reverse("web:batches") if before else ""
    return BatchesPage(
        running=[tiles.tile(Course(batch)) for batch in tiles.running()],
        ended=[tiles.tile(Course(batch)) for batch in rows],
        start=start,
        pages=Pages(len(rows), "batches", older_href=older, newer_href=newer),
    )


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


@never_cache
@require_safe
def batch(request: HttpRequest, number: str) -> HttpResponse:
    """Show a batch; asked in the background it gives the parts that move alone."""
    rights.require_reader(request.user)
    return _show(request, batch_of(number))


def _show(
    request: HttpRequest, found: Batch, *, lab: Any = None, close: Any = None, stop: Any = None
) -> HttpResponse:
    course, refused = Course(found), lab or close or stop
    dialogs = [*_dialogs(course, request.user, lab, close), *_stop(course, request.user, stop)]
    page = batch_page(course, request.user, dialogs)
    in_background = request.headers.get("X-Background") == "1"
    template = "web/_batch_parts.html" if in_background else "web/batch.html"
    crumbs = [("Batches", reverse("web:batches")), (found.number, "")]
    status = status_of(refused) if refused else 200
    return render(request, template, {"page": page, "crumbs": crumbs}, status=status)


def _dialogs(course: Course, person: Any, lab: Any, close: Any) -> list[SigningDialog]:
    number = course.batch.number
    made = []
    if rights.may(person, "enter a laboratory value"):
        made.append(
            dialog(
                "lab",
                title="Enter a laboratory value",
                action=reverse("web:enter", args=[number]),
                statement=f"For {number}. The value is known to the twin from now on, at "
                f"{course.now_h:.1f} h process time, and leads to a new estimate.",
                form=lab or LabForm(tags=entry.laboratory_tags(course.batch.equipment)),
                person=person,
                submit_label="Enter",
            )
        )
    if rights.may(person, "close a batch"):
        made.append(
            dialog(
                "close",
                title="Close the batch",
                action=reverse("web:close", args=[number]),
                statement=f"The twin stops following {number}. Open recommendations expire. "
                "A closed batch is not opened again.",
                form=close or ReasonForm(),
                person=person,
                submit_label="Close the batch",
                is_danger=True,
            )
        )
    return made


def _stop(course: Course, person: Any, form: Any) -> list[SigningDialog]:
    """Return the dialog that stops writing, where there is writing to stop."""
    equipment = course.batch.equipment
    if not (may_write(equipment.trust) and rights.may(person, "stop writing")):
        return []
    return [
        dialog(
            "stop",
            title=f"Stop writing to {equipment.tag}",
            action=reverse("web:stop", args=[course.batch.number]),
            statement="From now on the write gate refuses every order for this asset. Advice goes "
            "on. Only a signed step lets it write again.",
            form=form or ReasonForm(),
            person=person,
            submit_label="Stop writing",
            is_danger=True,
        )
    ]


@require_POST
def stop(request: HttpRequest, number: str) -> HttpResponse:
    """Stop writing to the batch's asset at once."""
    person: Any = request.user
    rights.require(person, "stop writing")
    found = batch_of(number)
    form = ReasonForm(request.POST)
    made = attempt(
        request,
        form,
        lambda given: trust.lower_trust(found.equipment, Level.ADVISE, actor=person, **given),
        thing="twin_core.equipment",
        stream=f"equipment/{found.equipment.tag}",
    )
    if made is None:
        return _show(request, found, stop=form)
    messages.success(request, f"Nothing is written to {made.tag} any more.")
    return redirect("web:batch", number)


@require_POST
def enter(request: HttpRequest, number: str) -> HttpResponse:
    """Enter a laboratory value."""
    person: Any = request.user
    rights.require(person, "enter a laboratory value")
    found = batch_of(number)
    form = LabForm(request.POST, tags=entry.laboratory_tags(found.equipment))
    made = attempt(
        request,
        form,
        lambda given: entry.enter(found, person=person, **given),
        thing="twin_core.lab_result",
        stream=service.stream(found),
    )
    if made is None:
        return _show(request, found, lab=form)
    messages.success(request, f"{tag_words(made.tag)} {made.value} {made.unit} entered.")
    return redirect(reverse("web:batch", args=[number]) + "#laboratory")


@require_POST
def close(request: HttpRequest, number: str) -> HttpResponse:
    """Stop following a batch."""
    person: Any = request.user
    rights.require(person, "close a batch")
    found = batch_of(number)
    form = ReasonForm(request.POST)
    made = attempt(
        request,
        form,
        lambda given: service.close(found, actor=person, **given),
        thing="twin_core.batch",
        stream=service.stream(found),
    )
    if made is None:
        return _show(request, found, close=form)
    messages.success(request, f"{number} is closed.")
    return redirect("web:batch", number)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def correct(request: HttpRequest, number: str, pk: UUID) -> HttpResponse:
    """Correct a laboratory value: the old one stays, the new one names it and says why."""
    person: Any = request.user
    rights.require(person, "correct a laboratory value")
    found = batch_of(number)
    result = get_object_or_404(LabResult.objects.select_related("batch__equipment"), pk=pk)
    if result.batch_id != found.pk:
        raise Http404("the result is of another batch")
    form = CorrectionForm(request.POST if request.method == "POST" else None)
    made = attempt(
        request,
        form,
        lambda given: entry.correct(result, person=person, **given),
        thing="twin_core.lab_result",
        stream=service.stream(found),
    )
    if made is not None:
        messages.success(request, f"{tag_words(made.tag)} corrected to {made.value} {made.unit}.")
        return redirect(reverse("web:batch", args=[number]) + "#laboratory")
    page = ActPage(
        title=f"Correct {tag_words(result.tag).lower()}",
        statement=f"The sample of {number} at {result.sampled_h:.1f} h process time. The old "
        "value stays in the ledger and beside the new one on the page.",
        facts=[("Present value", f"{result.value} {result.unit}")],
        form=form,
        submit_label="Correct the value",
        back_href=reverse("web:batch", args=[number]) + "#laboratory",
    )
    return _act(request, page, number)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def release(request: HttpRequest, number: str, pk: UUID) -> HttpResponse:
    """Release a quarantine entry: it is dealt with; what it holds is still not used."""
    person: Any = request.user
    rights.require(person, "release from quarantine")
    found = batch_of(number)
    rows = QuarantinedSample.objects.filter(equipment=found.equipment).select_related("equipment")
    held = get_object_or_404(rows, pk=pk)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    made = attempt(
        request,
        form,
        lambda given: quarantine.release(held, actor=person, **given),
        thing="twin_core.sample",
        stream=quarantine.stream(found.equipment),
    )
    if made is not None:
        messages.success(request, f"{tag_words(held.tag)}: released, the reason is on record.")
        return redirect(reverse("web:batch", args=[number]) + "#quarantine")
    return _act(request, _release_page(held, form, number), number)


def _release_page(held: QuarantinedSample, form: Any, number: str) -> ActPage:
    kept = [(name.replace("_", " "), text) for name, text in first_sample(held).items()]
    return ActPage(
        title=f"Release {tag_words(held.tag).lower()} from quarantine",
        statement="You have looked into it and say why it is settled. The readings are kept as "
        "they were received; a value that shall be used is entered as a laboratory value.",
        facts=[("Why it is here", sentence(held.reason)), ("Findings", str(held.count)), *kept],
        form=form,
        submit_label="Release",
        back_href=reverse("web:batch", args=[number]) + "#quarantine",
    )


def _act(request: HttpRequest, page: ActPage, number: str) -> HttpResponse:
    crumbs = [
        ("Batches", reverse("web:batches")),
        (number, reverse("web:batch", args=[number])),
        (page.title, ""),
    ]
    status = status_of(page.form) if page.form.is_bound else 200
    return render(request, "web/act.html", {"page": page, "crumbs": crumbs}, status=status)


@never_cache
@require_safe
def charts_of(request: HttpRequest, number: str) -> JsonResponse:
    """Give all charts of a batch as data: what an open page asks for when the batch changed."""
    rights.require_reader(request.user)
    return JsonResponse({"charts": charts.charts(Course(batch_of(number)))})


@never_cache
@require_safe
def chart_csv(request: HttpRequest, number: str, key: str) -> HttpResponse:
    """Give one chart as CSV."""
    rights.require_reader(request.user)
    if key not in charts.BY_KEY:
        raise Http404(f"there is no chart {key}")
    made = charts.chart(Course(batch_of(number)), charts.BY_KEY[key])
    return csv_files.attachment(csv_files.of_chart(made), f"{number}-{key}.csv")


@never_cache
@require_safe
def results_csv(request: HttpRequest, number: str) -> HttpResponse:
    """Give every laboratory value of a batch as CSV, corrected ones with what replaced them."""
    rights.require_reader(request.user)
    found = batch_of(number)
    rows = LabResult.objects.filter(batch=found).select_related("record", "corrects")
    head = ["tag", "value", "unit", "sampled (h process time)", "received (h process time)",
            "corrects value", "by", "reason", "record"]  # fmt: skip
    content = csv_files.table(
        head, (_result_cells(row) for row in rows.order_by("sampled_h", "tag", "id"))
    )
    return csv_files.attachment(content, f"{number}-laboratory.csv")


def _result_cells(result: LabResult) -> list[Any]:
    told = audit.content(result.record)
    return [
        result.tag,
        result.value,
        result.unit,
        result.sampled_h,
        result.received_h,
        result.corrects.value if result.corrects else "",
        told["actor"]["name"],
        told["reason"] or "",
        bytes(result.record.leaf).hex(),
    ]
