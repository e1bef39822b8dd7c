"""What a reviewer enters; the rules are in ``reviews`` and ``scope``."""

from datetime import UTC, datetime
from typing import Any

from django import forms

from audit.forms import CodeField, PasswordField
from audit.models import ReviewJudgement, RoleGrant
from audit.trail_pages import FORMATS


def _moment(label: str) -> forms.DateTimeField:
    attributes = {"placeholder": "2026-01-31 09:15", "autocomplete": "off"}
    return forms.DateTimeField(
        label=label,
        input_formats=["%Y-%m-%d %H:%M:%S.%f", *FORMATS],
        widget=forms.DateTimeInput(attrs=attributes, format="%Y-%m-%d %H:%M:%S.%f"),
        error_messages={"invalid": "Write it as 2026-01-31 09:15:00, in UTC."},
    )


def reviewers() -> list[tuple[str, str]]:
    """Return (key, name) of the people who may review the trail."""
    from audit.desk.reviews import REVIEWERS

    held = RoleGrant.objects.filter(role__in=REVIEWERS, is_active=True, user__is_active=True)
    rows = held.values_list("user_id", "user__printed_name")
    return sorted({(str(key), name) for key, name in rows}, key=lambda one: one[1])


class OpenReviewForm(forms.Form):
    since = _moment("From (UTC)")
    until = _moment("Before (UTC)")
    stream = forms.CharField(
        label="Batch or stream, all if empty",
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"list": "streams", "autocomplete": "off"}),
    )
    reviewer = forms.ChoiceField(label="Reviewer")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.use_required_attribute = False
        field: Any = self.fields["reviewer"]
        field.choices = reviewers()

    def _utc(self, name: str) -> datetime:
        return self.cleaned_data[name].replace(tzinfo=UTC)

    def clean_since(self) -> datetime:
        return self._utc("since")

    def clean_until(self) -> datetime:
        return self._utc("until")


class AssignForm(forms.Form):
    """Who shall review the acts that the reviewer may not."""

    reviewer = forms.ChoiceField(label="Reviewer")

    def __init__(self, *arguments: Any, without: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        field: Any = self.fields["reviewer"]
        field.choices = [one for one in reviewers() if one[0] != without]


class JudgeForm(forms.Form):
    verdict = forms.ChoiceField(choices=ReviewJudgement.Verdict.choices)  # by the button pressed
    words = forms.CharField(
        label="In your words",
        min_length=3,
        max_length=2000,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class SignReviewForm(forms.Form):
    """Both components again, the reason, and the digest of the view that is signed."""

    view = forms.RegexField(r"^[0-9a-f]{64}$", widget=forms.HiddenInput)
    reason = forms.CharField(
        label="Conclusion", max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )
    password = PasswordField()
    code = CodeField()


class AbandonForm(forms.Form):
    reason = forms.CharField(label="Reason", min_length=3, max_length=500)


class ScopeForm(forms.Form):
    stream = forms.CharField(
        label="Stream, or family as batch/*",
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    reason = forms.CharField(label="Reason", max_length=500)
