"""Who may see which streams: one filter that search, pages and exports share.

A role lets a person read the trail at all. Whoever holds an active scope sees these streams
alone; a scope names one stream (``batch/B-1``) or a family of them (``batch/*``). Each scope is
given and taken by a system administrator as a recorded act, never by the person themselves.
"""

import re
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from audit import identity, ledger
from audit.credentials import STREAM, lock
from audit.models import StreamScope, User
from audit.refusals import NotEntitled

STREAM_NAME = re.compile(r"[^\s/*]{1,60}(/[^\s*]{1,60}|/\*)?")
FAMILY = "/*"


class ScopeRefused(identity.IdentityRefused):
    """A scope cannot be as asked."""

    act = "audit.scope"


@dataclass(frozen=True, slots=True)
class Scope:
    """The streams that a person sees: every one, or those named and those of the families."""

    is_limited: bool = False
    streams: tuple[str, ...] = ()
    families: tuple[str, ...] = ()  # first parts of stream names

    def allows(self, stream: str) -> bool:
        family = stream.split("/", 1)[0]
        return not self.is_limited or stream in self.streams or family in self.families

    def tags(self) -> list[str]:
        """Return the tags of the index, one of which a record must bear; asked when limited."""
        named = [f"stream {stream}" for stream in self.streams]
        return [*named, *(f"family {family}" for family in self.families)]

    def query(self) -> Q:
        """Return the condition on a model with a stream; it holds for all if unlimited."""
        if not self.is_limited:
            return Q()
        found = Q(stream__in=self.streams)
        for family in self.families:
            found |= Q(stream=family) | Q(stream__startswith=f"{family}/")
        return found

    def as_told(self) -> list[str]:
        """Return the scope as a record tells it; empty when every stream is seen."""
        return sorted([*self.streams, *(family + FAMILY for family in self.families)])

    def require(self, stream: str) -> None:
        """Raise NotEntitled for a stream outside."""
        if not self.allows(stream):
            raise NotEntitled(
                f"{stream} lies outside the streams you may see",
                what_to_do="Ask a system administrator whether your scope should be wider.",
                act="audit.trail",
                data={"stream": stream},
            )


EVERYTHING = Scope()


def of(user: Any) -> Scope:
    """Return what a person sees; a process or a command on the machine sees everything."""
    if not isinstance(user, User):
        return EVERYTHING
    held = StreamScope.objects.filter(user=user, is_active=True).values_list("stream", flat=True)
    names = sorted(held)
    return Scope(
        is_limited=bool(names),
        streams=tuple(name for name in names if not name.endswith(FAMILY)),
        families=tuple(name.removesuffix(FAMILY) for name in names if name.endswith(FAMILY)),
    )


@transaction.atomic
def grant(user: User, stream: str, *, by: Any, reason: str) -> StreamScope:
    """Limit a person to a stream or family, beside what they have.

    Raises ScopeRefused, NotEntitled.
    """
    _check(user, by, reason)
    if not STREAM_NAME.fullmatch(stream):
        raise ScopeRefused(
            f"{stream!r} names no stream",
            what_to_do="Write one as batch/B-0042, or all of a family as batch/*.",
        )
    fresh = lock(user)
    found = StreamScope.objects.filter(user=fresh, stream=stream).first()
    if found is not None and found.is_active:
        raise ScopeRefused(f"{fresh.printed_name} is limited to {stream} already")
    old = found.state_fields() if found else None
    found = found or StreamScope(user=fresh, stream=stream)
    found.is_active = True
    return _write("audit.scope.granted", found, old, by=by, reason=reason)


@transaction.atomic
def revoke(user: User, stream: str, *, by: Any, reason: str) -> StreamScope:
    """Take a scope back; without any a person sees every stream.

    Raises ScopeRefused, NotEntitled.
    """
    _check(user, by, reason)
    fresh = lock(user)
    found = StreamScope.objects.filter(user=fresh, stream=stream, is_active=True).first()
    if found is None:
        raise ScopeRefused(f"{fresh.printed_name} is not limited to {stream}")
    old = found.state_fields()
    found.is_active = False
    return _write("audit.scope.revoked", found, old, by=by, reason=reason)


def _check(user: User, by: Any, reason: str) -> None:
    identity.require_administrator(by)
    if isinstance(by, User) and by.pk == user.pk:
        raise NotEntitled(
            "nobody may change what they see themselves",
            what_to_do="Ask another system administrator.",
            act="audit.scope",
            stream=STREAM,
        )
    if len(reason.strip()) < identity.SHORTEST_REASON:
        raise ScopeRefused("the reason is missing", what_to_do="Say why in a few words.")


def _write(
    kind: str, row: StreamScope, old: dict[str, Any] | None, *, by: Any, reason: str
) -> StreamScope:
    record = ledger.append(
        stream=STREAM,
        kind=kind,
        actor=by,
        subject=row,
        old=old,
        new=row.state_fields(),
        reason=reason.strip(),
    )
    row.save(record=record)
    return row
