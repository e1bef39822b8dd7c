"""A subject at a past moment beside what it is now, and every change since."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from audit import ledger, words
from audit.desk import differences, past, subjects
from audit.desk.lineage import nodes_of
from audit.desk.pages import AsOfPage, ChangeRow
from audit.desk.scope import Scope
from audit.record_pages import relatives
from audit.trail_pages import FORMATS

MOST_CHANGES = 100
MOMENTS = 12


class MomentForm(forms.Form):
    """Which subject, and when."""

    type = forms.ChoiceField(label="What")
    id = forms.CharField(
        label="Which one (name or key)",
        max_length=200,
        widget=forms.TextInput(attrs={"list": "subjects", "autocomplete": "off"}),
    )
    moment = forms.DateTimeField(
        label="As of (UTC), now if empty",
        required=False,
        input_formats=["%Y-%m-%d %H:%M:%S.%f", *FORMATS],
        widget=forms.DateTimeInput(
            attrs={"placeholder": "2026-01-31 09:15", "autocomplete": "off", "data-search": True},
            format="%Y-%m-%d %H:%M:%S",
        ),
        error_messages={"invalid": "Write it as 2026-01-31 09:15:00, in UTC."},
    )

    def __init__(self, data: QueryDict, scope: Scope) -> None:
        super().__init__(data or None)
        self.use_required_attribute = False
        known = dict(subjects.types())
        asked = data.get("type", "")
        if asked and asked not in known and len(asked) <= 200:
            known[asked] = subjects.type_words(asked)
        kind: Any = self.fields["type"]
        kind.choices = [("", "Choose"), *sorted(known.items(), key=lambda one: one[1])]
        self.subjects = subjects.latest(asked, scope) if asked in known else []

    def clean_id(self) -> str:
        given = self.cleaned_data["id"]
        by_name = {name.casefold(): key for key, name in reversed(self.subjects) if name}
        return by_name.get(given.casefold(), given)

    def clean_moment(self) -> datetime | None:
        moment = self.cleaned_data["moment"]
        if moment is None:
            return None
        moment = moment.replace(tzinfo=UTC)
        if moment > timezone.now():
            raise forms.ValidationError("This moment is still to come.")
        # written to the second, a moment is all of that second
        return moment if moment.microsecond else moment + timedelta(microseconds=999_999)


def empty_page(form: MomentForm) -> AsOfPage:
    """Return the page before a subject was asked for, or where the form is wrong."""
    return AsOfPage(form, "", "", "", "", None, timezone.now())


def as_of_page(form: MomentForm, scope: Scope) -> AsOfPage:
    """Return the subject that a valid form asks for, then and now."""
    kind, key, moment = (form.cleaned_data[name] for name in ("type", "id", "moment"))
    now = timezone.now()
    told, altered = past.history(kind, key, scope=scope)
    before = [each for each in told if moment is None or each[0].recorded_at <= moment]
    then = past.settled(kind, key, moment or now, before)
    present = past.settled(kind, key, now, told)
    since = told[len(before) :] if moment else []
    state = present.state or then.state or {}
    return AsOfPage(
        form=form,
        type_words=subjects.type_words(kind),
        name=subjects.name_of(state) or key,
        subject_type=kind,
        subject_id=key,
        moment=moment,
        now=now,
        existed=then.state is not None,
        exists=present.state is not None,
        rows=differences.compared(then.state, present.state),
        **_made_by(then),
        since=[_change(each) for each in since[::-1][:MOST_CHANGES]],
        left_out=max(0, len(since) - MOST_CHANGES),
        unjoined=relatives(nodes_of(present.unjoined)),
        altered=relatives(nodes_of(altered)),
        is_cut=present.is_cut,
        moments=_moments(kind, key, told),
        trail_href=f"{reverse('audit:trail')}?{urlencode({'subject_type': kind, 'subject': key})}",
    )


def _made_by(then: past.Then) -> dict[str, Any]:
    record = then.record
    if record is None:
        return {}
    return {
        "then_words": words.headline(record.kind, ledger.content(record)),
        "then_href": reverse("audit:record", args=[record.pk]),
        "then_at": record.recorded_at,
    }


def _change(told: past.Told) -> ChangeRow:
    record, old, new = told
    content = ledger.content(record)
    return ChangeRow(
        recorded_at=record.recorded_at,
        actor=content["actor"],
        words=words.headline(record.kind, content),
        href=reverse("audit:record", args=[record.pk]),
        rows=[row for row in differences.compared(old, new) if not row.is_same],
    )


def _moments(kind: str, key: str, told: list[past.Told]) -> list[tuple[str, datetime, str]]:
    """Return the latest moments at which the subject changed, to pick from, newest first."""
    found = []
    for record, _, _ in told[::-1][:MOMENTS]:
        asked = {"type": kind, "id": key, "moment": f"{record.recorded_at:%Y-%m-%d %H:%M:%S.%f}"}
        href = f"{reverse('audit:as_of')}?{urlencode(asked)}"
        found.append((href, record.recorded_at, words.spoken(record.kind)))
    return found
