"""What the tables hold can be made anew from the ledger, and a difference has a name."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from audit import identity, state
from audit.actors import os_user_actor
from audit.models import Credential, Role, RoleGrant
from audit.state import Row
from tests.audit.people import STEP, Person, enter
from tests.audit.test_signatures import NOON, sign_act

pytestmark = [pytest.mark.usefixtures("ledger_db"), pytest.mark.requirement("URS-SIG-020")]


@pytest.fixture
def quinn(ledger_db) -> Person:
    person = enter("quinn", Role.QA_REVIEWER)
    sign_act(person, person.prove())
    person.prove(NOON + STEP)
    by, why = os_user_actor(), "a history to tell"
    identity.revoke_role(person.user, Role.QA_REVIEWER, by=by, reason=why)
    identity.grant_role(person.user, Role.QA_REVIEWER, by=by, reason=why)
    identity.set_password(person.user, "another harbour at dawn", by=by, reason=why)
    return person


def told() -> str:
    output = StringIO()
    with pytest.raises(CommandError, match="difference"):
        call_command("rebuild_state", stdout=output)
    return output.getvalue()


def altered(as_role, table: str, statement: str, *values) -> None:
    """Do as a superuser who switches the triggers off."""
    with as_role("superuser") as superuser:
        superuser.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        superuser.execute(statement, values)
        superuser.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_cites")


def test_tables_that_nobody_touched_are_what_the_ledger_says(quinn):
    output = StringIO()
    call_command("rebuild_state", stdout=output)
    assert "are what the ledger says" in output.getvalue()
    assert list(state.differences()) == []


def test_every_regulated_table_is_looked_at(quinn):
    labels = {model._meta.label_lower for model in state.regulated_models()}
    assert {"audit.user", "audit.rolegrant", "audit.credential", "audit.signature"} <= labels


def test_a_row_altered_by_a_superuser_is_named_with_its_column(quinn, as_role):
    statement = "UPDATE audit_rolegrant SET role = 'qa_approver'"
    altered(as_role, "audit_rolegrant", statement)
    key = RoleGrant.objects.get().pk
    assert f"audit_rolegrant {key} role: the table has 'qa_approver'" in told()


def test_a_secret_altered_by_a_superuser_is_found_by_its_digest(quinn, as_role):
    held = Credential.objects.get(kind="code", is_active=True)
    altered(
        as_role,
        "audit_credential",
        "UPDATE audit_credential SET secret = %s WHERE id = %s",
        "v1.AAAA",
        held.pk,
    )
    output = told()
    assert f"audit_credential {held.pk} secret: the table has 'sha256:" in output
    assert "v1.AAAA" not in output


def test_a_row_deleted_or_invented_by_a_superuser_is_named(quinn, as_role):
    key = RoleGrant.objects.get().pk
    altered(as_role, "audit_rolegrant", "DELETE FROM audit_rolegrant")
    altered(
        as_role,
        "audit_rolegrant",
        "INSERT INTO audit_rolegrant (id, user_id, role, is_active, record_id) "
        "SELECT uuidv7(), id, 'auditor', true, record_id FROM audit_user",
    )
    output = told()
    assert f"audit_rolegrant {key} id: the table has '(no row)'" in output
    assert "'no such row'" in output


def test_a_row_that_cites_another_record_is_named(quinn, as_role):
    altered(
        as_role,
        "audit_user",
        "UPDATE audit_user SET record_id = (SELECT record_id FROM audit_rolegrant)",
    )
    assert "record_id: the table has" in told()


def test_a_history_is_told_by_its_chain_when_the_order_of_records_is_another():
    row = Row()
    row.take(b"1", b"2", "late")
    assert (row.state, len(row.waiting)) == (b"null", 1)
    row.take(b"null", b"1", "early")
    assert (row.state, row.record_id, row.waiting) == (b"2", "late", [])


def test_a_history_that_does_not_join_is_a_difference():
    row = Row()
    row.take(b"null", b"1", "a")
    row.take(b"3", b"4", "b")
    (flaw,) = state._unjoined("table", "key", row)
    assert "record b from 3" in str(flaw)
