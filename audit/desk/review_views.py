"""Reviews of the trail as pages: open, judge, assign what is one's own, sign, give up."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit import identity, refusals, signatures
from audit.desk import reviews
from audit.desk import scope as scopes
from audit.desk.forms import AbandonForm, AssignForm, JudgeForm, OpenReviewForm, SignReviewForm
from audit.desk.review_pages import review_page, reviews_page
from audit.models import Role, TrailReview, User
from audit.refusals import Refused

READERS = tuple(Role)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def reviews_list(request: HttpRequest) -> HttpResponse:
    """Show the reviews and the gaps between them; open one."""
    user = _reader(request)
    if request.method == "POST":
        form = OpenReviewForm(request.POST)
        if form.is_valid() and (made := _opened(request, form)):
            return redirect("audit:review", pk=made.pk)
    else:
        given = {
            name: request.GET[name] for name in ("since", "until", "stream") if name in request.GET
        }
        form = OpenReviewForm(initial={"reviewer": str(user.pk), **given})
    context = {
        "page": reviews_page(user, form),
        "crumbs": [("Trail", reverse("audit:trail")), ("Reviews", "")],
    }
    return render(request, "audit/reviews.html", context, status=_status(form))


def _reader(request: HttpRequest) -> User:
    user: Any = request.user
    identity.require_role(user, *READERS, to="read reviews of the trail")
    return user


def _opened(request: HttpRequest, form: OpenReviewForm) -> TrailReview | None:
    """Open what the form asks for; None, with the refusal on the form, when it is refused."""
    user: Any = request.user
    asked = dict(form.cleaned_data)
    asked["reviewer"] = User.objects.get(pk=asked["reviewer"])
    return _attempt(request, form, lambda: reviews.open_review(by=user, **asked))


def _attempt(request: HttpRequest, form: Any, act: Callable[[], Any]) -> Any:
    """Do an act; a refusal is recorded, said on the form, and gives None."""
    try:
        return act()
    except Refused as refusal:
        refusals.record(refusal, actor=request.user, where=request.path)
        form.add_error(None, f"{refusal.reason}. {refusal.what_to_do}")
        form.refusal = refusal
        return None


def _status(form: Any) -> int:
    if not form.errors:
        return 200
    return getattr(getattr(form, "refusal", None), "status", 400)


@never_cache
@require_safe
def review(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a review: what was ranked, what was said of it, what was left out."""
    user = _reader(request)
    return _show(request, _review(user, pk))


def _review(user: User, pk: UUID) -> TrailReview:
    """Return a review that lies within what the person sees."""
    rows = TrailReview.objects.select_related("reviewer", "of_person")
    found = get_object_or_404(rows, pk=pk)
    scopes.of(user).require(found.stream or "a review of every stream")
    return found


def _show(request: HttpRequest, found: TrailReview, **refused: Any) -> HttpResponse:
    user: Any = request.user
    found.refresh_from_db()
    page = review_page(found, user, refused=refused)
    crumbs = [
        ("Trail", reverse("audit:trail")),
        ("Reviews", reverse("audit:reviews")),
        (page.scope_words, ""),
    ]
    status = max([200, *(_status(form) for form in refused.values())])
    return render(request, "audit/review.html", {"page": page, "crumbs": crumbs}, status=status)


@never_cache
@require_POST
def judge(request: HttpRequest, pk: UUID, entry: UUID) -> HttpResponse:
    """Say of one entry what the reviewer thinks of it, and go to the next."""
    user = _reader(request)
    found = _review(user, pk)
    form = JudgeForm(request.POST, auto_id=f"judge-{entry}-%s")
    if form.is_valid() and _attempt(
        request, form, lambda: reviews.judge(found, entry, by=user, **form.cleaned_data)
    ):
        page = review_page(found, user)
        return redirect(reverse("audit:review", args=[pk]) + (page.next_href or "#sign-it"))
    return _show(request, found, **{str(entry): form})


@never_cache
@require_POST
def remainder(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Assign the acts that the reviewer may not review to another reviewer."""
    user = _reader(request)
    found = _review(user, pk)
    form = AssignForm(request.POST, without=str(found.reviewer_id))
    if not form.is_valid():
        messages.error(request, "Choose another reviewer; nothing was assigned.")
        return redirect("audit:review", pk=pk)
    chosen = User.objects.get(pk=form.cleaned_data["reviewer"])
    made = reviews.open_remainder(found, by=user, reviewer=chosen)
    messages.success(request, f"Assigned to {chosen.printed_name}. It is on the record.")
    return redirect("audit:review", pk=made.pk)


@never_cache
@sensitive_post_parameters("password", "code")
@require_POST
def sign(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Sign a review whose every entry was judged."""
    user = _reader(request)
    found = _review(user, pk)
    form = SignReviewForm(request.POST, auto_id="sign-%s")
    if form.is_valid() and _attempt(request, form, lambda: _signed(found, user, form.cleaned_data)):
        messages.success(request, "The review is signed.")
        return redirect("audit:review", pk=pk)
    return _show(request, found, sign=form)


def _signed(found: TrailReview, user: User, given: dict[str, str]) -> TrailReview:
    proof = signatures.prove(user, password=given["password"], code=given["code"])
    return reviews.sign(
        found, signer=user, proof=proof, reason=given["reason"], shown=given["view"]
    )


@never_cache
@require_POST
def abandon(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give an open review up."""
    user = _reader(request)
    found = _review(user, pk)
    form = AbandonForm(request.POST, auto_id="abandon-%s")
    if form.is_valid() and _attempt(
        request, form, lambda: reviews.abandon(found, by=user, **form.cleaned_data)
    ):
        messages.success(request, "The review was given up. It is on the record.")
        return redirect("audit:reviews")
    return _show(request, found, abandon=form)
