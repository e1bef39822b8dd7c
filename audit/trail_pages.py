"""The trail as a page: rows in words, one page by key, one record for each look at it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db import connection
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from audit import canonical, ledger, trail, words
from audit.exports.cut import FORMATS as COPIES
from audit.models import Record, Signature, User
from audit.pages import Chip, Pages, SigningDialog, TrailPage, TrailRow
from audit.trail import Filters

SIZE = 50  # rows of a page
COUNTED = 10_000  # beyond this the number of records that fit is not counted on each look
RECENT = 2_000  # records from which the filters' suggestions are taken
ONE_LOOK = timedelta(minutes=1)
FORMATS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]
PLACES = """
SELECT record.id, block.first_sequence + (
    SELECT count(*) FROM audit_record before
    WHERE before.transaction >= block.transaction_from
      AND (before.transaction, before.id) < (record.transaction, record.id))
FROM audit_record record
JOIN LATERAL (
    SELECT first_sequence, transaction_from FROM audit_block
    WHERE transaction_below > record.transaction
    ORDER BY transaction_below LIMIT 1) block ON true
WHERE record.id = ANY(%s)
"""
SUGGESTED = """
SELECT DISTINCT kind, stream,
    payload::jsonb #>> '{actor,kind}', payload::jsonb #>> '{actor,id}'
FROM (SELECT kind, stream, payload FROM audit_record ORDER BY id DESC LIMIT %s) recent
"""


def _moment(label: str) -> forms.DateTimeField:
    shape = {"placeholder": "2026-01-31 09:15", "inputmode": "numeric", "autocomplete": "off"}
    widget = forms.DateTimeInput(attrs=shape, format=FORMATS[0])
    return forms.DateTimeField(
        label=label,
        widget=widget,
        input_formats=FORMATS,
        required=False,
        error_messages={"invalid": "Write it as 2026-01-31 09:15:00, in UTC."},
    )


def _words(label: str, **attributes: Any) -> forms.CharField:
    return forms.CharField(
        label=label, required=False, max_length=200, widget=forms.TextInput(attrs=attributes)
    )


class TrailForm(forms.Form):
    """The filters; all may be left out."""

    text = _words("Search in everything recorded", type="search", **{"data-search": True})
    person = forms.ChoiceField(label="Who", required=False)
    kind = _words("Kind, or its beginning", list="kinds")
    stream = _words("Batch or stream", list="streams")
    since = _moment("From (UTC)")
    until = _moment("Before (UTC)")

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.use_required_attribute = False
        self.kinds, self.streams, processes = suggestions()
        people = [(str(user.pk), user.printed_name) for user in User.objects.order_by("username")]
        self.names = dict([*people, *((name, name) for name in processes)])
        field: Any = self.fields["person"]
        field.choices = [("", "anyone"), *self.names.items()]

    def filters(self) -> Filters:
        """Return what is asked for; call it on a valid form."""
        return Filters(**{name: value or None for name, value in self.cleaned_data.items()})


class ExportForm(forms.Form):
    """Why, and which copies for reading and searching lie beside the hashed bytes."""

    reason = forms.CharField(label="Reason", min_length=3, max_length=500)
    html = forms.BooleanField(label=COPIES["html"], required=False)
    pdf = forms.BooleanField(label=COPIES["pdf"], required=False)
    parquet = forms.BooleanField(label=COPIES["parquet"], required=False)
    csv = forms.BooleanField(label=COPIES["csv"], required=False)

    def formats(self) -> tuple[str, ...]:
        """Return the copies that are asked for; call it on a valid form."""
        return tuple(name for name in COPIES if self.cleaned_data[name])


def suggestions() -> tuple[list[str], list[str], list[str]]:
    """Return kinds, streams and processes among the latest records."""
    with connection.cursor() as cursor:
        cursor.execute(SUGGESTED, [RECENT])
        rows = cursor.fetchall()
    processes = {actor for _, _, sort, actor in rows if sort != "person"}
    return sorted({row[0] for row in rows}), sorted({row[1] for row in rows}), sorted(processes)


def note_look(filters: Filters, *, actor: User) -> None:
    """Record the look, once a minute for the same person and the same filters."""
    since = timezone.now() - ONE_LOOK
    given = canonical.decode(canonical.encode(filters.given()))
    for record in Record.objects.filter(
        stream=trail.STREAM, kind="audit.trail.viewed", recorded_at__gte=since
    ).order_by("-id"):
        told = ledger.content(record)
        if told["actor"]["id"] == str(actor.pk) and told["data"]["filters"] == given:
            return
    trail.note_view(filters, actor=actor, where="page")


def trail_page(form: TrailForm, query: QueryDict) -> TrailPage:
    """Return the page that ``query`` asks for; ``before`` and ``after`` are keys of records."""
    filters = form.filters()
    records, newer, older = _slice(filters, query)
    return TrailPage(
        form=form,
        rows=rows_of(records),
        pages=_pages(filters, query, records, newer, older),
        chips=_chips(form, query),
        clear_href=reverse("audit:trail"),
    )


def _slice(filters: Filters, query: QueryDict) -> tuple[list[Record], bool, bool]:
    """Return a page's records, newest first, and whether there are newer and older ones."""
    found = trail.search(filters)
    before, after = key_of(query, "before"), key_of(query, "after")
    if after:
        records = list(found.filter(id__gt=after).order_by("id")[: SIZE + 1])
        return records[:SIZE][::-1], len(records) > SIZE, True
    records = list((found.filter(id__lt=before) if before else found)[: SIZE + 1])
    return records[:SIZE], bool(before), len(records) > SIZE


def key_of(query: QueryDict, name: str) -> str | None:
    """Return a key from the address; one that is no UUID is an error in words."""
    text = query.get(name)
    return str(forms.UUIDField().clean(text)) if text else None


def _pages(
    filters: Filters, query: QueryDict, records: Sequence[Record], newer: bool, older: bool
) -> Pages:
    total = trail.search(filters).order_by()[: COUNTED + 1].count()
    return Pages(
        shown=len(records),
        total=total if total <= COUNTED else f"more than {COUNTED}",
        newer_href=_address(query, after=records[0].pk) if newer and records else "",
        older_href=_address(query, before=records[-1].pk) if older and records else "",
    )


def _address(query: QueryDict, route: str = "audit:trail", **extra: Any) -> str:
    """Return the trail's address with the filters of ``query`` and what is given beside."""
    kept = {name: query[name] for name in TrailForm.base_fields if query.get(name)}
    told = urlencode({**kept, **extra})
    return f"{reverse(route)}?{told}" if told else reverse(route)


def export_dialog(query: QueryDict, form: forms.Form, *, actor: User) -> SigningDialog:
    """Return what asks for the reason of an export; its address carries the filters."""
    return SigningDialog(
        id="export",
        title="Export what is filtered",
        action_href=_address(query, "audit:export"),
        statement="You get a bundle of every sealed record that fits the filters, with proofs and "
        "a verifier that needs none of this software, and the copies that you tick. It is made in "
        "the background; asking for it and fetching it are recorded.",
        view_digest="",
        printed_name=actor.printed_name,
        form=form,
        submit_label="Ask for the export",
        needs_signature=False,
        is_open=form.is_bound,
    )


def _chips(form: TrailForm, query: QueryDict) -> list[Chip]:
    chips = []
    for name, field in form.fields.items():
        if value := query.get(name):
            without = query.copy()
            del without[name]
            told = form.names.get(value, value) if name == "person" else value
            chips.append(Chip(f"{field.label}: {told}", _address(without)))
    return chips


def places_of(records: Sequence[Record]) -> dict[Any, int]:
    """Return the sequence of each sealed record by its key, in one question."""
    with connection.cursor() as cursor:
        cursor.execute(PLACES, [[record.pk for record in records]])
        return dict(cursor.fetchall())


def rows_of(records: Sequence[Record]) -> list[TrailRow]:
    places = places_of(records)
    signed = set(Signature.objects.filter(signed__in=records).values_list("signed", flat=True))
    return [_row(record, places.get(record.pk), record.pk in signed) for record in records]


def _row(record: Record, sequence: int | None, is_signed: bool) -> TrailRow:
    told = ledger.content(record)
    return TrailRow(
        href=reverse("audit:record", args=[record.pk]),
        recorded_at=record.recorded_at,
        sequence=sequence,
        actor=told["actor"],
        words=words.headline(record.kind, told),
        kind=record.kind,
        stream=record.stream,
        reason=told["reason"] or "",
        leaf=bytes(record.leaf).hex(),
        is_signed=is_signed,
    )
