"""The dialog in which a system administrator signs the erasure of a person's personal text."""

from typing import Any

from django.urls import reverse
from django.utils import timezone

from audit import erasures, identity, personal, signatures
from audit.forms import SigningForm
from audit.models import Role, User
from audit.pages import SigningDialog

STATEMENT = (
    "The key of the personal text of {0} is destroyed. No page, record, export or restored copy of "
    "this database shows that text again; what was signed and sealed stays provable. The printed "
    "name and the user name stay."
)


def erasure_dialog(person: User, by: Any, *, form: Any = None) -> SigningDialog | None:
    """Return the dialog; None where nothing is left to erase or it is not for ``by`` to do."""
    if not _may(person, by) or not (form or personal.has_text(person)):
        return None
    digest = signatures.view_digest(erasures.view_of(person))
    form = form or SigningForm(auto_id="erase-%s", initial={"view": digest})
    ready = signatures.next_code_at(by, timezone.now())
    return SigningDialog(
        id="erase",
        title="Erase personal text",
        action_href=reverse("people:erase", args=[person.pk]),
        statement=STATEMENT.format(person.printed_name),
        view_digest=digest,
        printed_name=by.printed_name,
        form=form,
        submit_label="Sign and erase",
        is_danger=True,
        code_ready_at=ready if ready > timezone.now() else None,
        is_open=form.is_bound,
    )


def _may(person: User, by: Any) -> bool:
    return by.pk != person.pk and Role.SYSTEM_ADMINISTRATOR in identity.current_roles(by)
