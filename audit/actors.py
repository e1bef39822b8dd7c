"""Who acts, and from where: carried along a request, a task or a process."""

import os
import pwd
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from audit.software import software

KINDS = frozenset({"person", "process", "os_user"})
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a process or an operating system user, as named on a record.

    Raises ValueError for a kind that the format of records does not know, and for a person whose
    ``id`` is no UUID: a verifier would refuse their records.
    """

    kind: str  # person | process | os_user
    id: str
    name: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"an actor is of one of {sorted(KINDS)}, not {self.kind!r}")
        if self.kind == "person" and not UUID_TEXT.fullmatch(self.id):
            raise ValueError(f"a person is named by a UUID, not by {self.id!r}")

    def as_told(self) -> dict[str, str]:
        return {"kind": self.kind, "id": self.id, "name": self.name}


@dataclass(frozen=True, slots=True)
class Source:
    """Where an act came from: the session and address of a person, or nothing of these."""

    session: str | None = None
    address: str | None = None


_actor: ContextVar[Actor | None] = ContextVar("actor", default=None)
_source: ContextVar[Source | None] = ContextVar("source", default=None)


def process_name() -> str:
    return os.environ.get("TWIN_PROCESS", "command")


def process_actor() -> Actor:
    """Return this process as an actor: the sealer, the worker, the gate."""
    return Actor("process", process_name(), process_name())


def os_user_actor() -> Actor:
    """Return the operating system's user: who runs a command without naming a person."""
    entry = pwd.getpwuid(os.getuid())
    return Actor("os_user", entry.pw_name, f"{entry.pw_name} (operating system)")


def actor_of(who: Any) -> Actor:
    """Return the actor for a person's row, an ``Actor``, or ``None`` (whoever acts here)."""
    if isinstance(who, Actor):
        return who
    if who is None:
        return _actor.get() or process_actor()
    return Actor("person", str(who.pk), who.printed_name)


def current_source() -> Source:
    return _source.get() or Source()


@contextmanager
def from_address(who: Any, address: str | None) -> Iterator[None]:
    """Name who acts inside, in the session that is open, from ``address``."""
    with acting(who, session=current_source().session, address=address):
        yield


def source_as_told() -> dict[str, str | None]:
    source = current_source()
    return {
        "session": source.session,
        "address": source.address,
        "process": process_name(),
        "software": software(),
    }


@contextmanager
def acting(who: Any, *, session: str | None = None, address: str | None = None) -> Iterator[None]:
    """Name who acts, and from where, for every record written inside."""
    was_actor, was_source = _actor.set(actor_of(who)), _source.set(Source(session, address))
    try:
        yield
    finally:
        _actor.reset(was_actor)
        _source.reset(was_source)
