"""Subjects to pick from: the types there are, and the latest subjects of one type by name."""

from collections.abc import Iterable

from audit import ledger, words
from audit.desk.scope import EVERYTHING, Scope
from audit.desk.search import Search
from audit.guards import trust
from audit.models import Record
from audit.state import regulated_models
from audit.trail import Filters

SPOKEN = {  # types whose own name would not be understood
    "audit.user": "person",
    "audit.rolegrant": "role of a person",
    "audit.streamscope": "scope of a person",
    "audit.trailreview": "review of the trail",
    "audit.reviewjudgement": "judgement in a review",
    "twin_core.setpointwrite": "set point write",
}
PICKED_FROM = 200  # the latest records of the type


def types() -> list[tuple[str, str]]:
    """Return (type, words) of every regulated subject."""
    return [
        (model._meta.label_lower, type_words(model._meta.label_lower))
        for model in regulated_models()
    ]


def type_words(kind: str) -> str:
    """Return a type in words: as it is spoken of, or as the model calls itself."""
    if kind in SPOKEN:
        return SPOKEN[kind]
    for model in regulated_models():
        if model._meta.label_lower == kind:
            return str(model._meta.verbose_name)
    return kind.rsplit(".", 1)[-1].replace("_", " ")


def latest(kind: str, scope: Scope = EVERYTHING) -> list[tuple[str, str]]:
    """Return (key, name) of the subjects of a type that were told of last, newest first."""
    page = Search(Filters(subject_type=kind), scope=scope).page(PICKED_FROM)
    records = Record.objects.in_bulk([hit.record_id for hit in page.hits])
    doubtful = trust.untrusted(list(records.values()))
    found: dict[str, str] = {}
    for hit in (one for one in page.hits if one.record_id in records.keys() - doubtful):
        for key, name in _named(ledger.content(records[hit.record_id])["changes"], kind):
            found.setdefault(key, name)
    return list(found.items())


def _named(changes: Iterable[dict], kind: str) -> Iterable[tuple[str, str]]:
    for change in changes:
        if change["subject"]["type"] == kind:
            yield change["subject"]["id"], name_of(change["new"] or change["old"] or {})


def name_of(state: dict) -> str:
    """Return what a subject is called, from its state; empty where it has no name."""
    for name in ("number", *words.NAMES, "tag", "id"):
        if isinstance(state.get(name), str) and state[name]:
            return state[name]
    return ""
