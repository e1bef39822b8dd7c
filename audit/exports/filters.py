"""What a selection holds, and that an export cannot be made."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from django.db.models import Q

from audit import canonical
from audit.refusals import Refused


class ExportRefused(Refused):
    """An export that cannot be made, and what to do about it."""

    act = "audit.export"
    stream = "ledger"
    what_to_do = "Mend what the message names, then ask for the export again."


@dataclass(frozen=True, slots=True)
class Filters:
    """What a selection holds; everything that is given must fit.

    ``within`` is the scope of the person who asked: the streams, or beginnings of streams that
    end with ``/``, which they may see; None where they may see all.
    """

    stream: str = ""
    kind: str = ""  # a kind, or the beginning of kinds: "twin_core.recommendation"
    person: str = ""  # id of an actor
    since: datetime | None = None  # recorded at or after
    until: datetime | None = None  # recorded before
    text: str = ""  # anywhere in the payload, in either case
    within: tuple[str, ...] | None = None

    def __bool__(self) -> bool:
        return bool(self.as_told())

    def query(self) -> Q:
        """Return the condition on records; nothing given is no condition."""
        found = Q()
        if self.stream:
            found &= Q(stream=self.stream)
        if self.kind:
            found &= Q(kind__startswith=self.kind)
        if self.person:
            found &= Q(payload__contains=f'"actor":{{"id":{_quoted(self.person)},')
        if self.since:
            found &= Q(recorded_at__gte=self.since)
        if self.until:
            found &= Q(recorded_at__lt=self.until)
        if self.text:
            found &= Q(payload__icontains=self.text)
        return found if self.within is None else found & _in_scope(self.within)

    def as_told(self) -> dict[str, Any]:
        """Return what is given, as the manifest and the record of the export tell it."""
        told = {name: value for name, value in asdict(self).items() if value}
        if self.within is not None:
            told["within"] = list(self.within)
        return told

    @classmethod
    def of_told(cls, told: dict[str, Any]) -> "Filters":
        """Return the filters that ``as_told`` gave, read back from JSON."""
        known = {field.name for field in fields(cls)}
        if unknown := set(told) - known:
            raise ValueError(f"unknown filters: {', '.join(sorted(unknown))}")
        given = dict(told)
        for name in ("since", "until"):
            if isinstance(given.get(name), str):
                given[name] = datetime.fromisoformat(given[name])
        if "within" in given:
            given["within"] = tuple(given["within"])
        return cls(**given)


def _in_scope(streams: tuple[str, ...]) -> Q:
    found = Q(pk__in=[])  # a scope of nothing shows nothing
    for stream in streams:
        is_beginning = stream.endswith("/")
        found |= Q(stream__startswith=stream) if is_beginning else Q(stream=stream)
    return found


def _quoted(text: str) -> str:
    return canonical.encode(text).decode()
