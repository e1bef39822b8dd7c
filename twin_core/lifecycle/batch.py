"""The states of a batch (ISA-88) as the twin follows it: running, closed."""

from enum import StrEnum

from twin_core.lifecycle import table


class State(StrEnum):
    RUNNING = "running"
    CLOSED = "closed"


TABLE: table.Table[State] = {(State.RUNNING, "close"): (State.CLOSED, ())}
START = (State.RUNNING,)


def advance(state: State, action: str) -> State:
    """Return the next state, or raise TransitionRefused."""
    return table.advance(TABLE, "batch", state, action, None)
