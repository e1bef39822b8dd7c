"""Phases of a model version (GAMP 5 and draft EU GMP Annex 22) as one table.

Pure: facts in, next phase or reasons out. The migration that guards the table in the database is
generated from ``TRANSITIONS``, so that the two cannot differ.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    DRAFTED = "drafted"
    SPECIFIED = "specified"
    TRAINED = "trained"
    VERIFIED = "verified"
    VALIDATED = "validated"
    IN_FORCE = "in_force"
    SUSPENDED = "suspended"
    RETIRED = "retired"


PROCESS_ENGINEER = "process_engineer"
QA_APPROVER = "qa_approver"
QA_REVIEWER = "qa_reviewer"
VALIDATION_ENGINEER = "validation_engineer"


class TransitionRefused(Exception):
    """An act that the lifecycle does not allow; the text lists every reason."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a version was trained or tested on: a package and its batches, each by SHA-256."""

    package: str
    batches: Mapping[str, str]  # batch id -> digest of its content


@dataclass(frozen=True, slots=True)
class Facts:
    """What the guards may look at, gathered by the service in the act's transaction."""

    signer_roles: frozenset[str] = frozenset()
    signer_is_author: bool = False
    signer_has_verified: bool = False
    is_signed: bool = False
    by_rule: bool = False
    author_is_a_person: bool = False
    has_criteria: bool = False
    has_artefact: bool = False
    has_scores: bool = False
    test_openings: int = 0
    training: DataSet | None = None
    test: DataSet | None = None
    test_set: str | None = None  # digest of the locked test set
    scored_set: str | None = None  # digest of the set that stands in the scores
    unmet_criteria: tuple[str, ...] = field(default=())


Guard = Callable[[Facts], str | None]


def allowed_to(*roles: str) -> Guard:
    """Return the guard that asks the signer for one of ``roles``."""
    words = " or ".join(role.replace("_", " ") for role in roles)

    def has_a_role(facts: Facts) -> str | None:
        return None if facts.signer_roles & set(roles) else f"needs the role {words}"

    return has_a_role


def is_signed(facts: Facts) -> str | None:
    return None if facts.is_signed else "this act needs an electronic signature"


def is_signed_or_by_rule(facts: Facts) -> str | None:
    return None if facts.by_rule else is_signed(facts)


def may_suspend(facts: Facts) -> str | None:
    roles = (PROCESS_ENGINEER, QA_REVIEWER, QA_APPROVER, VALIDATION_ENGINEER)
    return None if facts.by_rule else allowed_to(*roles)(facts)


def is_independent(facts: Facts) -> str | None:
    return "the author of a version does not approve it" if facts.signer_is_author else None


def is_not_the_verifier(facts: Facts) -> str | None:
    told = "who verified a version neither validates it nor puts it in force"
    return told if facts.signer_has_verified else None


def has_a_known_author(facts: Facts) -> str | None:
    told = "its author is an operating system's user, so nobody is known to be independent of it"
    return None if facts.author_is_a_person else told


def has_criteria(facts: Facts) -> str | None:
    return None if facts.has_criteria else "its card states no acceptance criteria"


def has_a_locked_test_set(facts: Facts) -> str | None:
    return None if facts.test else "no test set is locked: draft the version with one"


def has_seen_no_data(facts: Facts) -> str | None:
    told = "training data were opened before its criteria were signed: draft a new version"
    return told if facts.has_artefact else None


def has_an_artefact(facts: Facts) -> str | None:
    return None if facts.has_artefact else "nothing was trained yet: calibrate it first"


def is_not_trained_yet(facts: Facts) -> str | None:
    return "a trained artefact is frozen: draft a new version" if facts.has_artefact else None


def is_tested_on_other_batches(facts: Facts) -> str | None:
    """Training and test must not share a batch, neither by content nor by name."""
    if facts.training is None or facts.test is None:
        return None
    names = shared_batches(facts.training, facts.test)
    return f"trained on batches of its test set: {', '.join(names)}" if names else None


def is_test_set_closed(facts: Facts) -> str | None:
    times = facts.test_openings
    return f"its test set was opened already ({times} time)" if times else None


def is_test_set_opened(facts: Facts) -> str | None:
    told = f"its test set was opened {facts.test_openings} times, not once"
    return None if facts.test_openings == 1 else told


def has_no_scores(facts: Facts) -> str | None:
    return "its scores are recorded already" if facts.has_scores else None


def has_scores(facts: Facts) -> str | None:
    return None if facts.has_scores else "no scores on the locked test set are recorded"


def is_scored_on_the_test_set(facts: Facts) -> str | None:
    if facts.scored_set is None or facts.scored_set == facts.test_set:
        return None
    return f"its scores come from data set {facts.scored_set[:12]}, not from the locked test set"


def meets_criteria(facts: Facts) -> str | None:
    return "; ".join(facts.unmet_criteria) or None


def shared_batches(training: DataSet, test: DataSet) -> list[str]:
    """Return the training batches that the test set holds too, by content or by name."""
    contents = set(test.batches.values())
    return sorted(
        name
        for name, digest in training.batches.items()
        if digest in contents or name in test.batches
    )


_APPROVES = (is_signed, allowed_to(QA_APPROVER), is_independent, is_not_the_verifier)
_RETIRES = (is_signed, allowed_to(QA_APPROVER))

TRANSITIONS: dict[tuple[Phase, str], tuple[Phase, tuple[Guard, ...]]] = {
    (Phase.DRAFTED, "attach_training"): (
        Phase.DRAFTED,  # evaluation alone: what has seen data can never be specified
        (is_not_trained_yet, is_tested_on_other_batches),
    ),
    (Phase.DRAFTED, "specify"): (
        Phase.SPECIFIED,
        (
            is_signed,
            allowed_to(VALIDATION_ENGINEER),
            is_independent,
            has_a_known_author,
            has_criteria,
            has_a_locked_test_set,
            has_seen_no_data,
        ),
    ),
    (Phase.SPECIFIED, "attach_training"): (
        Phase.SPECIFIED,
        (is_not_trained_yet, is_tested_on_other_batches),
    ),
    (Phase.SPECIFIED, "train"): (
        Phase.TRAINED,
        (
            is_signed,
            allowed_to(PROCESS_ENGINEER, VALIDATION_ENGINEER),
            has_an_artefact,
            is_tested_on_other_batches,
        ),
    ),
    (Phase.TRAINED, "open_test_set"): (
        Phase.TRAINED,
        (
            allowed_to(VALIDATION_ENGINEER),
            is_independent,
            is_test_set_closed,
            is_tested_on_other_batches,
        ),
    ),
    (Phase.TRAINED, "attach_scores"): (
        Phase.TRAINED,
        (is_test_set_opened, has_no_scores, is_scored_on_the_test_set),
    ),
    (Phase.TRAINED, "verify"): (
        Phase.VERIFIED,
        (
            is_signed,
            allowed_to(VALIDATION_ENGINEER),
            is_independent,
            is_test_set_opened,
            is_tested_on_other_batches,
            has_scores,
            is_scored_on_the_test_set,
            meets_criteria,
        ),
    ),
    (Phase.VERIFIED, "validate"): (Phase.VALIDATED, (*_APPROVES, has_a_known_author)),
    (Phase.VALIDATED, "put_in_force"): (Phase.IN_FORCE, (*_APPROVES, has_a_known_author)),
    (Phase.IN_FORCE, "suspend"): (Phase.SUSPENDED, (is_signed_or_by_rule, may_suspend)),
    (Phase.SUSPENDED, "put_in_force"): (Phase.IN_FORCE, (*_APPROVES, has_a_known_author)),
    # A successor takes the place of the version in force within the same act and signature.
    (Phase.IN_FORCE, "give_way"): (Phase.RETIRED, _RETIRES),
    **{(phase, "retire"): (Phase.RETIRED, _RETIRES) for phase in Phase if phase != Phase.RETIRED},
}
ACTIONS = tuple(dict.fromkeys(action for _, action in TRANSITIONS))


def advance(phase: Phase, action: str, facts: Facts) -> Phase:
    """Return the next phase, or raise TransitionRefused listing every reason."""
    if (phase, action) not in TRANSITIONS:
        raise TransitionRefused(f"cannot {action} a model version that is {phase}")
    target, guards = TRANSITIONS[phase, action]
    if reasons := [reason for guard in guards if (reason := guard(facts))]:
        raise TransitionRefused("; ".join(reasons))
    return target


def phase_changes() -> list[tuple[str, str]]:
    """Return every (from, to) that the database accepts for one row, in order."""
    return sorted({(str(phase), str(target)) for (phase, _), (target, _) in TRANSITIONS.items()})
