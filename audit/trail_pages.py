"""The trail as a page: rows in words, one page by key, one record for each look at it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.db import connection
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from audit import canonical, ledger, trail, words
from audit.desk import comparison, indexing, marking, subjects
from audit.desk.conditions import words_of
from audit.desk.scope import EVERYTHING, Scope
from audit.desk.search import Search
from audit.exports.cut import FORMATS as COPIES
from audit.guards import standing, trust
from audit.models import Record, Signature, User
from audit.pages import Chip, Pages, SigningDialog, TrailPage, TrailRow
from audit.trail import Filters

SIZE = 50  # rows of a page
MUCH_BEHIND = 5_000  # sealed records not indexed yet, from which the page says so
RECENT = 2_000  # records from which the filters' suggestions are taken
ONE_LOOK = timedelta(minutes=1)
FORMATS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]
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

    text = _words("Words of anything recorded", type="search", **{"data-search": True})
    reason = _words("Words of the reason")
    person = forms.ChoiceField(label="Who", required=False)
    kind = _words("Kind, or its beginning", list="kinds")
    stream = _words("Batch or stream", list="streams")
    subject_type = forms.ChoiceField(label="About a", required=False)
    subject = _words("Which one (name or key)", list="subjects")
    since = _moment("From (UTC)")
    until = _moment("Before (UTC)")

    def __init__(self, data: QueryDict, scope: Scope = EVERYTHING) -> None:
        super().__init__(data)
        self.use_required_attribute = False
        self.scope = scope
        self.kinds, streams, processes = suggestions()
        self.streams = [stream for stream in streams if scope.allows(stream)]
        self.types = dict(subjects.types())
        kind: Any = self.fields["subject_type"]
        kind.choices = [("", "anything"), *sorted(self.types.items(), key=lambda one: one[1])]
        chosen = data.get("subject_type", "")
        self.subjects = subjects.latest(chosen, scope) if chosen in self.types else []
        people = [(str(user.pk), user.printed_name) for user in User.objects.order_by("username")]
        self.names = dict([*people, *((name, name) for name in processes)])
        field: Any = self.fields["person"]
        field.choices = [("", "anyone"), *self.names.items()]

    def clean_subject(self) -> str:
        """Return the subject's key; a name that was picked stands for its key."""
        given = self.cleaned_data["subject"]
        by_name = {name.casefold(): key for key, name in reversed(self.subjects) if name}
        return by_name.get(given.casefold(), given)

    def filters(self) -> Filters:
        """Return what is asked for; call it on a valid form."""
        return Filters(**{name: value or None for name, value in self.cleaned_data.items()})

    def told(self, name: str, value: str) -> str:
        """Return a filter's value as a chip shows it."""
        if name == "subject":
            return dict(self.subjects).get(value) or value
        return {"person": self.names, "subject_type": self.types}.get(name, {}).get(value, value)


class ExportForm(forms.Form):
    """Why, and which copies for reading and searching lie beside the hashed bytes."""

    reason = forms.CharField(label="Reason", min_length=3, max_length=500)
    html = forms.BooleanField(label=COPIES["html"], required=False)
    pdf = forms.BooleanField(label=COPIES["pdf"], required=False)
    parquet = forms.BooleanField(label=COPIES["parquet"], required=False)
    csv = forms.BooleanField(label=COPIES["csv"], required=False)

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="export_%s")  # the filters have a reason too

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
    """Return the page that ``query`` asks for; ``before`` and ``after`` are keys of records.

    Raises SearchRefused for words that cannot be searched for, ValidationError for a wrong key.
    """
    filters = form.filters()
    records, newer, older = _slice(filters, query, form.scope)
    alarm, alarm_href = _alarm()
    return TrailPage(
        form=form,
        rows=rows_of(records, wanted_of(filters)),
        pages=_pages(Search(filters, scope=form.scope), query, records, newer, older),
        chips=_chips(form, query),
        clear_href=reverse("audit:trail"),
        alarm=alarm,
        alarm_href=alarm_href,
        notice=_index_notice(),
        as_of_href=as_of_address(filters),
        scope=form.scope.as_told(),
    )


def wanted_of(filters: Filters) -> list[str]:
    """Return the words whose places are marked on the page."""
    return [*words_of(filters.text or ""), *words_of(filters.reason or "")]


def as_of_address(filters: Filters) -> str:
    """Return where the state of the subject asked for stands; empty unless one is asked for."""
    if not (filters.subject_type and filters.subject):
        return ""
    told = urlencode({"type": filters.subject_type, "id": filters.subject})
    return f"{reverse('audit:as_of')}?{told}"


def _index_notice() -> str:
    """Return what to say while many sealed records are not indexed; they are found all the same."""
    behind = comparison.waiting(indexing.mark().sequence)
    if behind < MUCH_BEHIND:
        return ""
    return (
        f"{behind} sealed records are not in the index yet: they are read themselves, which is "
        "slower. Nothing is missing from what you see."
    )


def _alarm() -> tuple[str, str]:
    """Return (what is wrong with the guards, where it is told); empty texts when nothing is."""
    found = standing.standing()
    if not found.is_alarm:
        return "", ""
    said = str(found)
    href = reverse("audit:record", args=[found.record.pk]) if found.record else ""
    return f"{said[:1].upper()}{said[1:]}.", href


def _slice(
    filters: Filters, query: QueryDict, scope: Scope = EVERYTHING
) -> tuple[list[Record], bool, bool]:
    """Return a page's records, newest first, and whether there are newer and older ones."""
    before, after = key_of(query, "before"), key_of(query, "after")
    found = Search(filters, scope=scope).page(SIZE, before=before, after=after)
    held = Record.objects.in_bulk([hit.record_id for hit in found.hits])
    records = [held[hit.record_id] for hit in found.hits if hit.record_id in held]
    if after:
        return records, found.has_more, True
    return records, bool(before), found.has_more


def key_of(query: QueryDict, name: str) -> UUID | None:
    """Return a key from the address; one that is no UUID is an error in words."""
    text = query.get(name)
    return forms.UUIDField().clean(text) if text else None


def _pages(
    search: Search, query: QueryDict, records: Sequence[Record], newer: bool, older: bool
) -> Pages:
    return Pages(
        shown=len(records),
        total=str(search.count()),
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
            chips.append(Chip(f"{field.label}: {form.told(name, value)}", _address(without)))
    return chips


def rows_of(records: Sequence[Record], wanted: Sequence[str] = ()) -> list[TrailRow]:
    places = trust.places_of(records)
    signed = set(Signature.objects.filter(signed__in=records).values_list("signed", flat=True))
    return [_row(record, places.get(record.pk), record.pk in signed, wanted) for record in records]


def _row(
    record: Record, place: trust.Place | None, is_signed: bool, wanted: Sequence[str]
) -> TrailRow:
    is_trusted = trust.is_trusted(record, place)
    told = trust.told(record, is_trusted=is_trusted)
    said = words.headline(record.kind, told) if is_trusted else trust.ALTERED
    reason = told["reason"] or ""
    pieces, why = marking.marked(said, wanted), marking.marked(reason, wanted)
    is_seen = not wanted or marking.has_hit(pieces) or marking.has_hit(why)
    where, found = ("", ()) if is_seen else marking.excerpt(told, wanted)
    return TrailRow(
        href=reverse("audit:record", args=[record.pk]),
        recorded_at=record.recorded_at,
        sequence=place.sequence if place else None,
        actor=told["actor"],
        words=said,
        kind=record.kind,
        stream=record.stream,
        reason=reason,
        leaf=bytes(record.leaf).hex(),
        is_signed=is_signed and is_trusted,
        is_trusted=is_trusted,
        words_marked=pieces,
        reason_marked=why,
        excerpt_of=where,
        excerpt=found,
    )
