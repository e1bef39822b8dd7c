"""Forms and dialogs of acts, and the one way in which a page carries a signed act out."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.utils import timezone

from audit import api as audit
from audit.pages import SigningDialog
from twin_core.insight.recommendations import REASONS
from twin_core.lifecycle.table import TransitionRefused
from twin_core.web.words import sentence

REASON_ROWS = {"rows": 3}
EXPECTED = (audit.Refused, TransitionRefused)


def attributes(**more: Any) -> dict[str, Any]:
    return {"autocomplete": "off", **more}


class ReasonForm(forms.Form):
    """An act that needs its reason and no signature."""

    reason = forms.CharField(max_length=500, widget=forms.Textarea(attrs=attributes(**REASON_ROWS)))

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"label_suffix": "", **options})


class SignForm(ReasonForm):
    """Both components, the reason, and the digest of the view that is signed."""

    view = forms.RegexField(r"^[0-9a-f]{64}$", widget=forms.HiddenInput)
    password = forms.CharField(
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label="One-time code",
        max_length=10,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "class": "code-input"}
        ),
    )
    field_order = ["reason", "password", "code"]


class RejectForm(SignForm):
    """A rejection has a coded reason; words of one's own are needed for 'other' alone."""

    reason_code = forms.ChoiceField(label="Reason", choices=[("", "Choose"), *REASONS.items()])
    field_order = ["reason_code", "reason", "password", "code"]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["reason"].required = False
        self.fields["reason"].label = "In your words"


class QuestionForm(forms.Form):
    question = forms.CharField(
        label="Your question",
        max_length=2000,
        widget=forms.Textarea(attrs=attributes(rows=4)),
        help_text="It cannot be signed until a process engineer has answered.",
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"label_suffix": "", **options})


class AnswerForm(forms.Form):
    answer = forms.CharField(
        label="Your answer", max_length=2000, widget=forms.Textarea(attrs=attributes(rows=4))
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"label_suffix": "", **options})


def dialog(
    name: str, *, title: str, action: str, statement: str, form: Any, person: Any, **more: Any
) -> SigningDialog:
    """Return the dialog of an act; ``form`` has been refused already when it has errors."""
    signs = "password" in form.fields
    form.auto_id = f"{name}_%s"  # several dialogs of a page ask for a reason: each has its own
    return SigningDialog(
        id=name,
        title=title,
        action_href=action,
        statement=statement,
        view_digest=more.pop("view", ""),
        printed_name=person.printed_name,
        form=form,
        needs_signature=signs,
        code_ready_at=code_ready_at(person) if signs else None,
        is_open=form.is_bound,
        **more,
    )


def code_ready_at(person: Any) -> Any:
    """Return when the person's next code will be accepted; None when one is at once."""
    now = timezone.now()
    ready = audit.next_code_at(person, now)
    return ready if ready is not None and ready > now else None


def sign(person: Any, given: dict[str, Any], act: Callable[[Any], Any]) -> Any:
    """Prove who signs, in a transaction of its own, then carry out the act with the proof.

    Raises what proof and act raise; the code is used up in either case.
    """
    proof = audit.prove(person, password=given["password"], code=given["code"])
    return act(proof)


def attempt(
    request: Any, form: Any, act: Callable[[dict[str, Any]], Any], *, thing: str, stream: str
) -> Any:
    """Carry an act out with a valid form; a refusal stands in the form and on the record.

    Returns the act's result, or None with ``form`` saying what to do. ``thing`` is what the act is
    about, ``stream`` where its record would have gone.
    """
    if not form.is_valid():
        return None
    try:
        return act(form.cleaned_data)
    except EXPECTED as error:
        refusal = error
        if not isinstance(refusal, audit.Refused):
            refusal = audit.Refused(str(error), act=thing, stream=stream)
        audit.record_refusal(refusal, where=f"{request.method} {request.path}")
        form.refusal = refusal
        form.add_error(None, f"{sentence(refusal.reason)} {sentence(refusal.what_to_do)}")
        return None


def status_of(form: Any) -> int:
    """Return the HTTP status of a form that was sent back."""
    refusal = getattr(form, "refusal", None)
    return refusal.status if refusal is not None else 400
