"""From proposal to confirmed effect: the states of a recommendation."""

from dataclasses import dataclass
from enum import StrEnum

from twin_core.lifecycle import table


class State(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WRITTEN = "written"
    CONFIRMED = "confirmed"
    UNKNOWN = "unknown"
    DEVIATION = "deviation"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the guards look at. Hours are process time; advice ages with the batch."""

    now_h: float = 0.0
    expires_h: float = float("inf")
    signer_is_author: bool = False
    signer_has_signed: bool = False
    signatures_needed: int = 1
    signatures: int = 1  # with the one that is being made
    open_questions: int = 0
    within_limits: bool = True
    model_in_force: bool = True
    configuration_intact: bool = True
    trust_allows: bool = True
    batch_running: bool = True
    read_back_equal: bool = True


def is_fresh(facts: Facts) -> str | None:
    if facts.now_h <= facts.expires_h:
        return None
    return f"it expired at {facts.expires_h:.2f} h of process time, now is {facts.now_h:.2f} h"


def is_independent(facts: Facts) -> str | None:
    return "its author may not sign it" if facts.signer_is_author else None


def is_another_person(facts: Facts) -> str | None:
    return "the same person has signed it already" if facts.signer_has_signed else None


def is_fully_signed(facts: Facts) -> str | None:
    missing = facts.signatures_needed - facts.signatures
    return f"{missing} more signature(s) are needed" if missing > 0 else None


def is_answered(facts: Facts) -> str | None:
    return (
        f"{facts.open_questions} question(s) wait for an answer" if facts.open_questions else None
    )


def is_within_limits(facts: Facts) -> str | None:
    return None if facts.within_limits else "its value is outside the limits in force"


def has_model_in_force(facts: Facts) -> str | None:
    return None if facts.model_in_force else "its model version is not in force any more"


def has_intact_configuration(facts: Facts) -> str | None:
    return None if facts.configuration_intact else "a configuration file is not the signed one"


def is_trusted(facts: Facts) -> str | None:
    return None if facts.trust_allows else "the asset's trust level does not allow it"


def has_running_batch(facts: Facts) -> str | None:
    return None if facts.batch_running else "its batch is not running any more"


def is_read_back(facts: Facts) -> str | None:
    return None if facts.read_back_equal else "the value read back is another one"


def is_read_back_otherwise(facts: Facts) -> str | None:
    return "the value read back is the written one" if facts.read_back_equal else None


SIGNING = (
    is_fresh,
    is_independent,
    is_another_person,
    is_answered,
    is_within_limits,
    has_model_in_force,
    has_intact_configuration,
    is_trusted,
    has_running_batch,
)
TABLE: table.Table[State] = {
    (State.PROPOSED, "approve"): (State.APPROVED, (*SIGNING, is_fully_signed)),
    (State.PROPOSED, "reject"): (State.REJECTED, (is_independent,)),
    (State.PROPOSED, "expire"): (State.EXPIRED, ()),
    (State.APPROVED, "expire"): (State.EXPIRED, ()),
    (State.APPROVED, "write"): (
        State.WRITTEN,
        (is_fresh, is_within_limits, has_intact_configuration, is_trusted, has_running_batch),
    ),
    (State.WRITTEN, "confirm"): (State.CONFIRMED, (is_read_back,)),
    (State.WRITTEN, "lose"): (State.UNKNOWN, ()),
    (State.WRITTEN, "deviate"): (State.DEVIATION, (is_read_back_otherwise,)),
    (State.UNKNOWN, "confirm"): (State.CONFIRMED, (is_read_back,)),
    (State.UNKNOWN, "deviate"): (State.DEVIATION, (is_read_back_otherwise,)),
}
START = (State.PROPOSED,)


def advance(state: State, action: str, facts: Facts) -> State:
    """Return the next state, or raise TransitionRefused listing every reason."""
    return table.advance(TABLE, "recommendation", state, action, facts)


def refusals(facts: Facts) -> list[str]:
    """Return every reason against signing now; the number of signatures is not one of them."""
    return [reason for guard in SIGNING if (reason := guard(facts))]
