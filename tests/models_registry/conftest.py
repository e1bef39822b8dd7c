"""People of the registry's tests, each with one role."""

import pytest

ROLES = ("process_engineer", "validation_engineer", "qa_reviewer", "qa_approver", "auditor")


def person(username, *roles):
    """Return a person who holds these roles, by one record."""
    from audit import api as audit  # not before Django is set up
    from audit.models import RoleGrant, User

    user = User(username=username, printed_name=username.title())
    grants = [RoleGrant(user=user, role=role) for role in roles]
    rows = [user, *grants]
    record = audit.append(
        stream="people",
        kind="audit.person.added",
        changes=[(row, None, row.state_fields()) for row in rows],
    )
    for row in rows:
        row.save(record=record)
    return user


@pytest.fixture
def people(db):
    """One person a role, and ``author``, a process engineer."""
    return {role: person(role, role) for role in ROLES} | {
        "author": person("author", "process_engineer", "validation_engineer", "qa_approver")
    }


def fresh_proof(user):
    """Return a proof of a person, as ``audit.api.prove`` leaves it on the record.

    The real one refuses to run inside a transaction, in which tests that roll back live.
    """
    from django.utils import timezone

    from audit import api as audit

    now = timezone.now()
    record = audit.append(
        stream=f"person/{user.pk}",
        kind="audit.proof.accepted",
        actor=user,
        data={"purpose": "signing"},
        occurred_at=now,
    )
    return audit.SigningProof(user.pk, record.pk, bytes(record.leaf), now)


@pytest.fixture
def prove():
    return fresh_proof
