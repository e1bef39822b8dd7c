"""How every lifecycle table is read: one way to advance, every refusal with its reasons."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

S = TypeVar("S", bound=StrEnum)
Guard = Callable[[Any], str | None]  # facts -> None, or the reason against it
Table = Mapping[tuple[S, str], tuple[S, tuple[Guard, ...]]]


class TransitionRefused(Exception):
    """An action that the table or one of its guards does not allow; says why."""


def advance(table: Table[S], thing: str, state: S, action: str, facts: Any) -> S:
    """Return the next state, or raise TransitionRefused listing every reason."""
    if (state, action) not in table:
        raise TransitionRefused(f"cannot {action} a {thing} that is {state}")
    target, guards = table[state, action]
    if reasons := [reason for guard in guards if (reason := guard(facts))]:
        raise TransitionRefused("; ".join(reasons))
    return target


def moves(table: Table[S]) -> list[tuple[str, str]]:
    """Return every (from, to) pair of a table, sorted: what the database's trigger allows."""
    return sorted({(str(state), str(target)) for (state, _), (target, _) in table.items()})
