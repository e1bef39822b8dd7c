"""Refusals: what a person is told, and the record that the attempt leaves."""

from typing import Any

from audit import ledger
from audit.models import Record

STREAM = "refusals"


class Refused(Exception):
    """An act was refused. The edge that called it records the refusal and answers ``status``.

    ``reason`` says why, ``what_to_do`` what the person can do about it; ``act`` is the kind of
    the record that the act would have left, ``stream`` where it would have gone. ``is_recorded``
    is true when the refusal stands in the ledger already.
    """

    status = 409
    act = "audit.act"
    what_to_do = "Read the reason, open the item again and decide anew."

    def __init__(
        self,
        reason: str,
        *,
        what_to_do: str | None = None,
        act: str | None = None,
        stream: str = STREAM,
        is_recorded: bool = False,
        data: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.what_to_do = what_to_do or self.what_to_do
        self.act = act or self.act
        self.stream, self.is_recorded, self.data = stream, is_recorded, data or {}


class NotEntitled(Refused):
    """The person may not do this: no role of theirs permits it, or a rule keeps them out."""

    status = 403
    what_to_do = "Ask a person who holds the role, or a system administrator about yours."


def record(refusal: Refused, *, actor: Any = None, where: str | None = None) -> Record | None:
    """Record a refusal in a transaction of its own, once; ``where`` is the address asked for."""
    if refusal.is_recorded:
        return None
    told = ledger.append_alone(
        stream=refusal.stream,
        kind=f"{refusal.act}.refused",
        actor=actor,
        reason=refusal.reason,
        data={"refusal": type(refusal).__name__, "where": where, **refusal.data},
    )
    refusal.is_recorded = True
    return told
