"""What a selection holds, and that an export cannot be made."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from django.db.models import JSONField, Q
from django.db.models.fields.json import DataContains, KeyTextTransform, KeyTransform
from django.db.models.functions import Cast
from django.db.models.lookups import IContains

from audit import canonical
from audit.refusals import Refused

FAMILY = "/*"


class ExportRefused(Refused):
    """An export that cannot be made, and what to do about it."""

    act = "audit.export"
    stream = "ledger"
    what_to_do = "Mend what the message names, then ask for the export again."


@dataclass(frozen=True, slots=True)
class Filters:
    """What a selection holds; everything that is given must fit.

    ``within`` is the scope of the person who asked: the streams (``batch/B-1``) and families of
    streams (``batch/*``) that they may see; None where they may see all.
    """

    stream: str = ""
    kind: str = ""  # a kind, or the beginning of kinds: "twin_core.recommendation"
    person: str = ""  # id of an actor
    since: datetime | None = None  # recorded at or after
    until: datetime | None = None  # recorded before
    text: str = ""  # anywhere in the payload, in either case
    reason: str = ""  # in the reason, in either case
    subject_type: str = ""  # of something that the record changed: "twin_core.batch"
    subject: str = ""  # its id
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
        if self.reason:
            told = KeyTextTransform("reason", Cast("payload", JSONField()))
            found &= Q(IContains(told, self.reason))
        return found & self._of_subject() & self._in_scope()

    def _of_subject(self) -> Q:
        named = {"id": self.subject, "type": self.subject_type}
        if not any(named.values()):
            return Q()
        if all(named.values()):
            return Q(payload__contains=f'"subject":{canonical.encode(named).decode()}')
        if self.subject:
            return Q(payload__contains=f'"subject":{{"id":{_quoted(self.subject)},')
        one = KeyTransform("changes", Cast("payload", JSONField()))
        return Q(DataContains(one, [{"subject": {"type": self.subject_type}}]))

    def _in_scope(self) -> Q:
        if self.within is None:
            return Q()
        found = Q(pk__in=[])  # a scope of nothing shows nothing
        for name in self.within:
            family = name.removesuffix(FAMILY)
            is_family = name.endswith(FAMILY)
            found |= Q(stream=family)
            found |= Q(stream__startswith=f"{family}/") if is_family else Q(pk__in=[])
        return found

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


def _quoted(text: str) -> str:
    return canonical.encode(text).decode()
