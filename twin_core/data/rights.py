"""Who may do what with batches, values and advice. Pages and interface ask here alike.

Signing has its own rule: ``twin_core.insight.standing.SIGNING_ROLES``.
"""

from typing import Any

from audit.api import Role, current_roles, require_role

ENGINEER = (Role.PROCESS_ENGINEER,)
REVIEWERS = (Role.QA_REVIEWER, Role.QA_APPROVER)
RIGHTS: dict[str, tuple[Role, ...]] = {
    "start a batch": ENGINEER,
    "close a batch": ENGINEER,
    "enter a laboratory value": ENGINEER,
    "correct a laboratory value": ENGINEER,
    "release from quarantine": ENGINEER,
    "answer a question": ENGINEER,
    "return a recommendation with a question": REVIEWERS,
    "stop writing": (Role.PLANT_OPERATOR, *ENGINEER, *REVIEWERS),
    "retry parked work": (Role.SYSTEM_ADMINISTRATOR,),
}
READERS = tuple(Role)  # everybody with a role reads


def may(person: Any, act: str) -> bool:
    """Whether a role of the person permits the act; KeyError for one that no table names."""
    return bool(current_roles(person) & set(RIGHTS[act]))


def require(person: Any, act: str) -> None:
    """Raise audit.NotEntitled unless a role of the person permits the act."""
    require_role(person, *RIGHTS[act], to=act)


def require_reader(person: Any) -> None:
    """Raise audit.NotEntitled for somebody who holds no role at all."""
    require_role(person, *READERS, to="read batches and advice")
