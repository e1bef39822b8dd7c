"""A setpoint write has three results: done, not done, unknown; unknown is settled by reading."""

from enum import StrEnum

from twin_core.lifecycle import table


class State(StrEnum):
    LEASED = "leased"  # the gate holds the order; nothing has left yet
    REFUSED = "refused"  # a check said no, nothing left the gate
    SENT = "sent"  # the value is about to leave, or has left
    CONFIRMED = "confirmed"
    UNKNOWN = "unknown"
    DEVIATION = "deviation"


TABLE: table.Table[State] = {
    (State.LEASED, "refuse"): (State.REFUSED, ()),
    (State.LEASED, "send"): (State.SENT, ()),
    (State.SENT, "confirm"): (State.CONFIRMED, ()),
    (State.SENT, "lose"): (State.UNKNOWN, ()),
    (State.SENT, "deviate"): (State.DEVIATION, ()),
    (State.UNKNOWN, "confirm"): (State.CONFIRMED, ()),
    (State.UNKNOWN, "deviate"): (State.DEVIATION, ()),
}
START = (State.LEASED,)


def advance(state: State, action: str) -> State:
    """Return the next state, or raise TransitionRefused."""
    return table.advance(TABLE, "setpoint write", state, action, None)
