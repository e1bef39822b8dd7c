"""Forms of the page "Archive and holds"."""

from typing import Any

from django import forms

from audit.forms import CodeField, PasswordField
from audit.models import LegalHold
from audit.retention import holds


class HoldForm(forms.Form):
    """What a hold shall lie on; it is signed in a second step, as it is shown then."""

    scope = forms.ChoiceField(label="Lies on", choices=LegalHold.Scope.choices)
    value = forms.CharField(
        label="Which",
        required=False,
        max_length=120,
        help_text="A month like 2026-01, a stream, a kind, or a person's id; empty for everything.",
    )
    matter = forms.CharField(label="Matter", max_length=200)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"label_suffix": "", **options})

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        try:
            holds.view_of_setting(
                given.get("scope", ""), given.get("value", ""), given.get("matter", "")
            )
        except holds.HoldRefused as refusal:
            raise forms.ValidationError(f"{refusal.reason[:1].upper()}{refusal.reason[1:]}.") from (
                refusal
            )
        return given


class SignForm(forms.Form):
    """Reason and both components, and the digest of the view that is signed."""

    view = forms.RegexField(r"^[0-9a-f]{64}$", widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=500, widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"})
    )
    password = PasswordField()
    code = CodeField()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"label_suffix": "", **options})

    def carry(self, hidden: dict[str, str]) -> None:
        """Take along what the act needs beside the signature."""
        for name, value in hidden.items():
            self.fields[name] = forms.CharField(
                initial=value, required=False, widget=forms.HiddenInput
            )
