"""A recommendation: read it, sign or reject it, ask and answer; and its decision on paper."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from audit import api as audit
from audit.pages import SigningDialog
from twin_core import decisions
from twin_core.data import batches, rights
from twin_core.insight import recommendations, standing
from twin_core.lifecycle.recommendation import State
from twin_core.lifecycle.table import TransitionRefused
from twin_core.models import Question, Recommendation
from twin_core.web.recommendation_pages import decided_by, may_not_sign, recommendation_page
from twin_core.web.signing import (
    AnswerForm,
    QuestionForm,
    RejectForm,
    SignForm,
    attempt,
    dialog,
    sign,
    status_of,
)
from twin_core.web.words import sentence

SECRETS = ("password", "code")


def recommendation_of(pk: UUID) -> Recommendation:
    rows = Recommendation.objects.select_related(
        "batch__equipment",
        "record",
        "forecast__record",
        "forecast__estimate__record",
        "forecast__estimate__model_version__record",
    )
    return get_object_or_404(rows, pk=pk)


@never_cache
@require_safe
def recommendation(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what is advised and all that speaks for and against it."""
    rights.require_reader(request.user)
    return _show(request, recommendation_of(pk))


@never_cache
@require_safe
def decision(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show the decision on one page, to print."""
    rights.require_reader(request.user)
    found = recommendation_of(pk)
    page = recommendation_page(found, request.user)
    context = {"page": page, "crumbs": _crumbs(found, "Decision")}
    return render(request, "web/decision.html", context)


@never_cache
@require_safe
def moved(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say whether the item has moved since it was shown, and by whom; empty when it has not."""
    rights.require_reader(request.user)
    found = recommendation_of(pk)
    now = audit.view_digest(standing.view(found))
    text = "" if request.GET.get("shown") == now else sentence(decided_by(found))
    return render(request, "web/_moved.html", {"text": text})


def _crumbs(found: Recommendation, last: str = "") -> list[tuple[str, str]]:
    own = reverse("web:recommendation", args=[found.pk])
    crumbs = [
        ("Batches", reverse("web:batches")),
        (found.batch.number, reverse("web:batch", args=[found.batch.number])),
        (found.title, own if last else ""),
    ]
    return [*crumbs, (last, "")] if last else crumbs


def _show(request: HttpRequest, found: Recommendation, **refused: Any) -> HttpResponse:
    """Show the page; ``refused`` is the form that was sent back, under its dialog's name."""
    form = next(iter(refused.values()), None)
    found.refresh_from_db(fields=["state"])
    made = _dialogs(found, request.user, refused)
    page = recommendation_page(found, request.user, dialogs=made, notice=_notice(found, form, made))
    context = {"page": page, "crumbs": _crumbs(found)}
    status = status_of(form) if form is not None else 200
    return render(request, "web/recommendation.html", context, status=status)


def _notice(found: Recommendation, form: Any, made: list[SigningDialog]) -> str:
    """Return what the person has to be told: her act came too late, or the view has changed."""
    refusal = getattr(form, "refusal", None)
    if refusal is None:
        return ""
    is_shown = any(one.is_open for one in made)
    if is_shown and not isinstance(refusal, audit.ViewChanged):
        return ""  # the dialog says it
    return (
        f"Nothing was signed or sent by you: {refusal.reason}. "
        f"Meanwhile it was {decided_by(found)}. Read it as it stands now."
    )


def _dialogs(found: Recommendation, person: Any, refused: dict[str, Any]) -> list[SigningDialog]:
    """Return the dialogs of what this person may do with the item as it stands now."""
    made: list[SigningDialog] = []
    if found.state != State.PROPOSED:
        return made
    is_signer = bool(audit.current_roles(person) & set(standing.SIGNING_ROLES))
    is_author = person.pk in decisions.authors(found)
    if rights.may(person, "return a recommendation with a question"):
        made.append(_ask_dialog(found, person, refused.get("ask")))
    if is_signer and not is_author:
        made.append(_reject_dialog(found, person, refused.get("reject")))
    if is_signer and not may_not_sign(found, person):
        made.append(_sign_dialog(found, person, refused.get("sign")))
    if rights.may(person, "answer a question"):
        asked = found.questions.filter(answered_by__isnull=True).order_by("pk").first()
        if asked is not None:
            made.append(_answer_dialog(found, asked, person, refused.get("answer")))
    return made


def _signing_form(found: Recommendation, kind: type[SignForm], sent: Any) -> tuple[SignForm, str]:
    """Return the form with the digest of the view as it is now, whatever was sent."""
    view = audit.view_digest(standing.view(found))
    if sent is None:
        return kind(initial={"view": view}), view
    sent.data = sent.data.copy()
    sent.data["view"] = view
    return sent, view


def _sign_dialog(found: Recommendation, person: Any, sent: Any) -> SigningDialog:
    form, view = _signing_form(found, SignForm, sent)
    target = (
        f"that it is written to {found.batch.equipment.tag}"
        if found.is_writable
        else "that the operator acts on it"
    )
    return dialog(
        "sign",
        title="Approve and sign",
        action=reverse("web:sign", args=[found.pk]),
        statement=f"I have read this recommendation and what it rests on, and approve {target}: "
        f"{found.title}.",
        form=form,
        person=person,
        view=view,
        submit_label="Sign approval",
    )


def _reject_dialog(found: Recommendation, person: Any, sent: Any) -> SigningDialog:
    form, view = _signing_form(found, RejectForm, sent)
    return dialog(
        "reject",
        title="Reject",
        action=reverse("web:reject", args=[found.pk]),
        statement=f"I have read this recommendation and reject it: {found.title}.",
        form=form,
        person=person,
        view=view,
        submit_label="Sign rejection",
        is_danger=True,
    )


def _ask_dialog(found: Recommendation, person: Any, sent: Any) -> SigningDialog:
    return dialog(
        "ask",
        title="Return with a question",
        action=reverse("web:ask", args=[found.pk]),
        statement=f"{found.title}: it goes back to the process engineers with your question.",
        form=sent or QuestionForm(),
        person=person,
        submit_label="Return with the question",
    )


def _answer_dialog(found: Recommendation, asked: Question, person: Any, sent: Any) -> SigningDialog:
    return dialog(
        "answer",
        title="Answer the question",
        action=reverse("web:answer", args=[found.pk, asked.pk]),
        statement=f"{asked.asked_by} asks: {asked.question}",
        form=sent or AnswerForm(),
        person=person,
        submit_label="Answer",
    )


@sensitive_post_parameters(*SECRETS)
@require_POST
def sign_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Approve with a signature."""

    def act(found: Recommendation, person: Any, given: dict[str, Any]) -> str:
        def approve(proof: Any) -> Recommendation:
            return recommendations.approve(
                found.pk, signer=person, proof=proof, reason=given["reason"], shown=given["view"]
            )

        _check_shown(found, person, given)
        made = sign(person, given, approve)
        if made.state == State.PROPOSED:
            return "Your signature is on the record; a second person signs next."
        return "Approved and signed." + (
            " The write gate takes it from here." if made.is_writable else ""
        )

    return _do(request, pk, "sign", SignForm(request.POST), "recommendation", act)


@sensitive_post_parameters(*SECRETS)
@require_POST
def reject_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Reject with a coded reason and a signature."""

    def act(found: Recommendation, person: Any, given: dict[str, Any]) -> str:
        def reject(proof: Any) -> Recommendation:
            return recommendations.reject(
                found.pk,
                signer=person,
                proof=proof,
                code=given["reason_code"],
                reason=given["reason"],
                shown=given["view"],
            )

        if given["reason_code"] == "other" and not given["reason"].strip():
            raise TransitionRefused("give the other reason in words")
        _check_shown(found, person, given)
        sign(person, given, reject)
        return "Rejected and signed."

    return _do(request, pk, "reject", RejectForm(request.POST), "recommendation", act)


def _check_shown(found: Recommendation, person: Any, given: dict[str, Any]) -> None:
    """Refuse what the act would refuse for sure, before a code is used up for it."""
    if person.pk in decisions.signers(found):
        raise TransitionRefused("you have signed this already")
    audit.require_view(standing.view(found), given["view"])


@require_POST
def ask_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return the recommendation with a question."""
    rights.require(request.user, "return a recommendation with a question")

    def act(found: Recommendation, person: Any, given: dict[str, Any]) -> str:
        words = given["question"].strip()
        same = found.questions.filter(asked_by=person, question=words, answered_by__isnull=True)
        if not same.exists():  # sent twice is asked once
            recommendations.ask(found.pk, asker=person, question=words)
        return "Returned with your question."

    return _do(request, pk, "ask", QuestionForm(request.POST), "question", act)


@require_POST
def answer_view(request: HttpRequest, pk: UUID, question: UUID) -> HttpResponse:
    """Answer a question; the recommendation can be signed again."""
    rights.require(request.user, "answer a question")
    get_object_or_404(Question, pk=question, recommendation_id=pk)

    def act(found: Recommendation, person: Any, given: dict[str, Any]) -> str:
        recommendations.answer(question, person=person, words=given["answer"])
        return "Answered; it can be signed again."

    return _do(request, pk, "answer", AnswerForm(request.POST), "question", act)


def _do(
    request: HttpRequest,
    pk: UUID,
    name: str,
    form: Any,
    thing: str,
    act: Callable[[Recommendation, Any, dict[str, Any]], str],
) -> HttpResponse:
    """Carry out an act on a recommendation; a refusal is recorded and told on its page."""
    found, person = recommendation_of(pk), request.user
    rights.require_reader(person)
    said = attempt(
        request,
        form,
        lambda given: act(found, person, given),
        thing=f"twin_core.{thing}",
        stream=batches.stream(found.batch),
    )
    if said is None:
        return _show(request, recommendation_of(pk), **{name: form})
    messages.success(request, said)
    return redirect("web:recommendation", pk)
