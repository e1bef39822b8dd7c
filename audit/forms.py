"""Forms of people and sessions; the rules are in ``identity``, ``credentials`` and ``proofs``."""

from collections.abc import Iterable
from typing import Any

from django import forms

from audit.models import Role


class CodeField(forms.CharField):
    """Six digits from an authenticator."""

    def __init__(self) -> None:
        attributes = {
            "autocomplete": "one-time-code",
            "inputmode": "numeric",
            "class": "code-input",
        }
        super().__init__(
            label="One-time code", max_length=10, widget=forms.TextInput(attrs=attributes)
        )


class PasswordField(forms.CharField):
    def __init__(self, label: str = "Password", autocomplete: str = "current-password") -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
        super().__init__(label=label, max_length=200, strip=False, widget=widget)


class SignInForm(forms.Form):
    username = forms.CharField(
        label="User name",
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = PasswordField()
    code = CodeField()


class ChangePasswordForm(forms.Form):
    password = PasswordField("Present password")
    code = CodeField()
    new_password = PasswordField("New password", "new-password")
    again = PasswordField("New password again", "new-password")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("new_password") != data.get("again"):
            raise forms.ValidationError("The new password was not the same both times.")
        return data


class AsOfForm(forms.Form):
    as_of = forms.DateTimeField(
        label="As of (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
        input_formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"],
    )


class RoleForm(forms.Form):
    """Grant or revoke one role of those given."""

    role = forms.ChoiceField(label="Role")
    reason = forms.CharField(label="Reason", max_length=500)

    def __init__(self, *args: Any, roles: Iterable[str] = Role.values, **options: Any) -> None:
        super().__init__(*args, **options)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(role, Role(role).label) for role in roles]


class ReasonForm(forms.Form):
    reason = forms.CharField(label="Reason", max_length=500)


class SigningForm(forms.Form):
    """Reason, and all components of the signature again; ``view`` is what the page showed."""

    view = forms.RegexField(r"^[0-9a-f]{64}$", widget=forms.HiddenInput)
    reason = forms.CharField(
        label="Reason", max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )
    password = PasswordField()
    code = CodeField()


class NewPersonForm(forms.Form):
    username = forms.CharField(label="User name", max_length=50)
    printed_name = forms.CharField(label="Printed name", max_length=200)
    email = forms.EmailField(label="Email", required=False)
    reason = forms.CharField(label="Reason", max_length=500)
