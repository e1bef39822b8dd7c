"""What the sample pages share: a moment, people, forms, a dialog, the frame."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django import forms

from audit import pages as audit
from audit.head import Head
from twin_core.web.shell import NAVIGATION, NavItem, Shell

NOW = datetime.now(UTC).replace(microsecond=123456)


ANNA = {"id": "0192", "kind": "person", "name": "Anna Meier"}


WORKER = {"id": "worker", "kind": "process", "name": "worker"}


HARVEST = "Harvest at 288 h instead of 336 h"


FEED = "Raise the feed from 0.35 to 0.42 L/d"


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def digest(seed: int) -> str:
    return f"{abs(hash((seed, 'x'))):016x}" * 4 if seed < 0 else f"{seed:02x}9f3c7a51be04d6" * 4


def shell(section: str) -> Shell:
    nav = tuple(
        NavItem(label, f"/{key}", key, label == section, 2 if label == "Desk" else 0)
        for label, _, key in NAVIGATION
    )
    return Shell(
        site_name="Demonstration site",
        site_zone="Europe/Zurich",
        now=NOW,
        version="0.1.0",
        build=digest(7),
        nav=nav,
        roles=("QA reviewer", "auditor"),
        printed_name="Anna Meier",
        head=Head(18_204, ago(seconds=2)),
        session_ends_at=NOW + timedelta(minutes=14),
        sign_out_href="/sign-out",
    )


class TrailForm(forms.Form):
    text = forms.CharField(label="Words of anything recorded", required=False)
    reason = forms.CharField(label="Words of the reason", required=False)
    person = forms.ChoiceField(choices=[("", "anyone"), ("a", "Anna Meier")], required=False)
    kind = forms.ChoiceField(choices=[("", "all"), ("s", "audit.signature")], required=False)
    stream = forms.CharField(label="Batch or stream", required=False)
    subject_type = forms.ChoiceField(label="About a", choices=[("", "anything")], required=False)
    subject = forms.CharField(label="Which one (name or key)", required=False)
    since = forms.DateTimeField(label="From (UTC)", required=False)
    until = forms.DateTimeField(label="To (UTC)", required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, label_suffix="", **options)
        self.fields["text"].widget.attrs["data-search"] = True
        for field in self.fields.values():
            field.required = True  # filters are all optional: the word would only be noise


class SigningForm(forms.Form):
    meaning = forms.ChoiceField(choices=[("approval", "approval"), ("review", "review")])
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}))
    password = forms.CharField(widget=forms.PasswordInput)
    code = forms.CharField(
        label="One-time code",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code"}),
    )


class RejectForm(SigningForm):
    meaning = None  # type: ignore[assignment]
    reason_code = forms.ChoiceField(
        label="Reason", choices=[("R1", "R1 Input is doubtful"), ("R2", "R2 Not feasible now")]
    )
    reason = forms.CharField(label="In your words", widget=forms.Textarea(attrs={"rows": 3}))
    field_order = ["reason_code", "reason", "password", "code"]


class SignInForm(forms.Form):
    username = forms.CharField(label="User name")
    password = forms.CharField(widget=forms.PasswordInput)
    code = forms.CharField(label="One-time code", help_text="Six digits from your authenticator.")


class LabForm(SigningForm):
    meaning = None  # type: ignore[assignment]
    tag = forms.ChoiceField(label="What", choices=[("glucose", "Glucose, mM")])
    value = forms.CharField()
    sampled = forms.CharField(label="Sampled at, h process time")
    field_order = ["tag", "value", "sampled", "reason"]


class ReasonForm(forms.Form):
    reason = forms.CharField()


class AsOfForm(forms.Form):
    as_of = forms.DateTimeField(label="As of (UTC)", required=False)


def dialog(name: str, form: forms.Form, title: str, **more: Any) -> audit.SigningDialog:
    return audit.SigningDialog(
        id=name,
        title=title,
        action_href="/act",
        statement="I have read the recommendation and what it rests on, and approve that it is "
        "written to BR-201.",
        view_digest=digest(3),
        printed_name="Anna Meier",
        form=form,
        **more,
    )


def signatures() -> list[audit.SignatureLine]:
    line = partial(audit.SignatureLine, view_digest=digest(3), href="/record/4")
    return [
        line("Anna Meier", "review", ago(minutes=12), reason="Consistent with the last two days."),
        line(
            "Ben Okafor",
            "approval",
            ago(minutes=4),
            is_valid=False,
            problem="The forecast behind it was corrected at 20:31 UTC; this counts as unsigned.",
        ),
    ]


class Message:
    tags = "success"

    def __str__(self) -> str:
        return "Laboratory value entered; its record is 18191."
