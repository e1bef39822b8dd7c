"""One act, one record, one statement: whole or not at all, and held to its record."""

import psycopg
import pytest
from django.db import IntegrityError, transaction

from audit import acts
from audit import api as audit
from audit.models import Record, RoleGrant, User

pytestmark = pytest.mark.requirement("URS-AUD-011")
ACT = {"stream": "people", "kind": "audit.person.entered", "reason": "joins the site"}


def person(name: str) -> User:
    return User(username=name, printed_name=name.title(), email=f"{name}@site.example")


def people(*names: str) -> list[User]:
    made = [person(name) for name in names]
    with audit.act(**ACT) as act:
        for each in made:
            act.create(each)
    return made


def test_one_record_tells_of_every_row_of_the_act(ledger_db):
    ada, bo, cy = people("ada", "bo", "cy")
    assert Record.objects.count() == 1
    told = audit.content(Record.objects.get())
    assert [change["new"]["username"] for change in told["changes"]] == ["ada", "bo", "cy"]
    assert {each.record_id for each in User.objects.all()} == {ada.record_id}
    assert bo.record.leaf == cy.record.leaf
    assert told["reason"] == "joins the site"


def test_rows_of_different_tables_share_a_record(ledger_db):
    ada = person("ada")
    with audit.act(**ACT) as act:
        act.create(ada)
        act.create(RoleGrant(user=ada, role="auditor"))
        act.create(RoleGrant(user=ada, role="qa_reviewer"))
    assert Record.objects.count() == 1
    assert ada.roles() == {"auditor", "qa_reviewer"}


def test_parents_that_can_be_read_only_once_are_told(ledger_db):
    [ada] = people("ada")
    with audit.act(**ACT, parents=(leaf for leaf in [ada.record.leaf])) as act:
        act.create(person("bo"))
    assert audit.content(act.record)["parents"] == [bytes(ada.record.leaf).hex()]


def test_a_change_tells_what_was_and_what_is(ledger_db):
    ada, bo = people("ada", "bo")
    with audit.act(**{**ACT, "kind": "audit.person.changed"}) as act:
        act.change(ada, printed_name="Ada L.")
        act.change(bo, printed_name="Bo B.", is_active=False)
    told = audit.content(act.record)
    assert told["changes"][0]["old"]["printed_name"] == "Ada"
    assert told["changes"][0]["new"]["printed_name"] == "Ada L."
    assert User.objects.get(pk=bo.pk).is_active is False


def test_an_act_that_ends_in_an_error_leaves_nothing(ledger_db):
    with pytest.raises(ZeroDivisionError), audit.act(**ACT) as act:
        act.create(person("ada"))
        raise ZeroDivisionError
    assert (User.objects.count(), Record.objects.count()) == (0, 0)


def test_a_row_that_is_not_there_stops_the_whole_act(ledger_db):
    [ada] = people("ada")
    with (
        pytest.raises(acts.RowMissing, match="0 of 1 rows of user are there"),
        audit.act(**ACT) as act,
    ):
        act.create(person("bo"))
        act.change(person("nobody"), printed_name="Somebody")
    assert [each.username for each in User.objects.all()] == ["ada"]
    assert ada.record_id == Record.objects.get().pk


def test_a_row_that_was_changed_meanwhile_is_not_overwritten(ledger_db):
    [ada] = people("ada")
    stale = User.objects.get(pk=ada.pk)
    with audit.act(**ACT) as act:
        act.change(ada, printed_name="Ada L.")
    with pytest.raises(IntegrityError, match="was not before what record"), audit.act(**ACT) as act:
        act.change(stale, printed_name="Ada X.")
    assert User.objects.get(pk=ada.pk).printed_name == "Ada L."


def test_an_act_inside_a_transaction_rolls_back_with_it(ledger_db):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        people("ada", "bo")
        raise ZeroDivisionError
    assert (User.objects.count(), Record.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (
            "UPDATE audit_user SET printed_name = 'X'",
            "which another transaction wrote",
        ),
        (
            "INSERT INTO audit_user (id, record_id, username, printed_name, email, is_active, "
            "password) SELECT uuidv7(), record_id, 'x' || username, printed_name, email, true, '' "
            "FROM audit_user",
            "which another transaction wrote|column",
        ),
        ("UPDATE audit_user SET id = uuidv7()", "cannot change|violates foreign key"),
    ],
)
def test_many_rows_changed_by_one_statement_are_each_held_to_a_record(
    ledger_db, as_role, statement, why
):
    people("ada", "bo", "cy")
    before = list(User.objects.order_by("pk").values_list("printed_name", flat=True))
    with pytest.raises(psycopg.Error, match=why):
        as_role("application").execute(statement)
    assert list(User.objects.order_by("pk").values_list("printed_name", flat=True)) == before


def test_one_record_serves_two_rows_only_if_it_tells_of_both(ledger_db, as_role):
    ada, bo = people("ada", "bo")
    session = as_role("application")
    told = audit.encode(
        {
            "v": 1,
            "stream": "people",
            "kind": "audit.person.changed",
            "changes": [
                {
                    "subject": {"type": "audit.user", "id": str(ada.pk)},
                    "old": ada.state_fields(),
                    "new": {**ada.state_fields(), "printed_name": "X"},
                }
            ],
        }
    ).decode()
    [cited] = session.execute(
        "INSERT INTO audit_record (stream, kind, payload) VALUES (%s, %s, %s) RETURNING id",
        ("people", "audit.person.changed", told),
    ).fetchone()
    with pytest.raises(psycopg.Error, match=f"tells of audit.user {bo.pk} 0 times"):
        session.execute("UPDATE audit_user SET printed_name = 'X', record_id = %s", (cited,))
