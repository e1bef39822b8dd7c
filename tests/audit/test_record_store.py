"""What the database itself refuses, as each role, and what an act without its record cannot be."""

import psycopg
import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from audit import api
from audit.models import Record, User

ROLES = ("application", "sealer", "gate", "auditor")
CHANGES = (
    "UPDATE {table} SET {column} = {column}",
    "DELETE FROM {table}",
    "TRUNCATE {table} CASCADE",
)


def person(name: str = "ada") -> User:
    """Write one person with her record, in the running transaction."""
    user = User(username=name, printed_name=name.title())
    record = api.append(
        stream="people", kind="audit.person.created", subject=user, new=user.state_fields()
    )
    user.save(record=record)
    return user


def partition() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM audit_record LIMIT 1")
        return cursor.fetchone()[0]


@pytest.mark.requirement("URS-AUD-001")
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("where", ["audit_record", "partition", "audit_block"])
def test_no_role_can_change_or_remove_what_is_recorded(ledger_db, as_role, role, change, where):
    with transaction.atomic():
        person()
    table = partition() if where == "partition" else where
    column = "header" if where == "audit_block" else "payload"
    with pytest.raises(psycopg.Error, match="permission denied"):
        as_role(role).execute(change.format(table=table, column=column))


@pytest.mark.requirement("URS-AUD-001")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("where", ["audit_record", "partition"])
@pytest.mark.parametrize("replica", [False, True])
def test_a_superuser_meets_the_triggers_even_as_a_replica(
    ledger_db, as_role, change, where, replica
):
    with transaction.atomic():
        person()
    table = partition() if where == "partition" else where
    superuser = as_role("superuser")
    if replica:
        superuser.execute("SET session_replication_role = replica")
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="is refused"):
        superuser.execute(change.format(table=table, column="stream"))


@pytest.mark.requirement("URS-AUD-001")
@pytest.mark.parametrize("month", [0, 1, 2])
def test_each_partition_made_ahead_refuses_to_be_emptied(ledger_db, as_role, month):
    superuser = as_role("superuser")
    names = superuser.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits "
        "WHERE inhparent = 'audit_record'::regclass ORDER BY 1"
    ).fetchall()
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="TRUNCATE"):
        superuser.execute(f"TRUNCATE {names[month][0]} CASCADE")


@pytest.mark.requirement("URS-AUD-004")
@pytest.mark.parametrize("column", ["id", "transaction", "recorded_at"])
def test_a_writer_cannot_choose_what_the_database_adds(ledger_db, as_role, column):
    value = {"id": "uuidv7()", "transaction": "'5'::xid8", "recorded_at": "now()"}[column]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_role("application").execute(
            f"INSERT INTO audit_record (stream, kind, payload, {column}) "
            f"""VALUES ('a', 'b', '{{"kind":"b","stream":"a"}}', {value})"""
        )


@pytest.mark.requirement("URS-AUD-004")
def test_a_record_cannot_name_another_stream_than_its_payload(ledger_db, as_role):
    with pytest.raises(psycopg.errors.CheckViolation):
        as_role("application").execute(
            "INSERT INTO audit_record (stream, kind, payload) "
            """VALUES ('a', 'b', '{"kind":"b","stream":"c"}')"""
        )


@pytest.mark.requirement("URS-AUD-004")
def test_the_auditor_reads_records_but_no_credential(ledger_db, as_role):
    auditor = as_role("auditor")
    assert auditor.execute("SELECT count(*) FROM audit_record").fetchone() is not None
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        auditor.execute("SELECT secret FROM audit_credential")


@pytest.mark.requirement("URS-AUD-002")
def test_an_act_that_fails_leaves_no_record(ledger_db):
    with pytest.raises(IntegrityError), transaction.atomic():
        person("same")
        person("same")
    assert Record.objects.count() == 0
    assert User.objects.count() == 0


@pytest.mark.requirement("URS-AUD-003")
def test_a_row_that_its_record_tells_is_accepted_and_changed_by_a_new_record(db):
    user = person()
    before = user.state_fields()
    user.printed_name = "Ada Lovelace"
    record = api.append(
        stream="people",
        kind="audit.person.changed",
        subject=user,
        old=before,
        new=user.state_fields(),
        reason="full name",
    )
    user.save(record=record)
    assert User.objects.get(pk=user.pk).printed_name == "Ada Lovelace"


def _bulk(user: User) -> None:
    User.objects.filter(pk=user.pk).update(printed_name="Eve")


def _bulk_update(user: User) -> None:
    user.printed_name = "Eve"
    User.objects.bulk_update([user], ["printed_name"])


def _raw(user: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_user SET is_active = false WHERE id = %s", [user.pk])


def _other_value(user: User) -> None:
    before = user.state_fields()
    user.printed_name = "Eve"
    new = user.state_fields() | {"printed_name": "Ada"}
    record = api.append(stream="people", kind="a.b.changed", subject=user, old=before, new=new)
    user.save(record=record)


def _other_past(user: User) -> None:
    before = user.state_fields() | {"printed_name": "Mallory"}
    user.printed_name = "Eve"
    new = user.state_fields()
    record = api.append(stream="people", kind="a.b.changed", subject=user, old=before, new=new)
    user.save(record=record)


def _other_row(user: User) -> None:
    before = user.state_fields()
    user.printed_name = "Eve"
    other = {"type": "audit.user", "id": str(api.uuid7())}
    record = api.append(
        stream="people", kind="a.b.changed", subject=other, old=before, new=user.state_fields()
    )
    user.save(record=record)


def _told_twice(user: User) -> None:
    before = user.state_fields()
    user.printed_name = "Eve"
    change = (user, before, user.state_fields())
    record = api.append(stream="people", kind="a.b.changed", changes=[change, change])
    user.save(record=record)


def _record_again(user: User) -> None:
    """Go there, go back, and go there again on the first record."""
    start = user.state_fields()
    user.printed_name = "Eve"
    there = api.append(
        stream="people", kind="a.b.changed", subject=user, old=start, new=user.state_fields()
    )
    user.save(record=there)
    moved = user.state_fields()
    user.printed_name = start["printed_name"]
    back = api.append(stream="people", kind="a.b.changed", subject=user, old=moved, new=start)
    user.save(record=back)
    user.printed_name = "Eve"
    user.save(record=there)


def _delete(user: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_user WHERE id = %s", [user.pk])


@pytest.mark.requirement("URS-AUD-003")
@pytest.mark.parametrize(
    "way",
    [
        _bulk,
        _bulk_update,
        _raw,
        _other_value,
        _other_past,
        _other_row,
        _told_twice,
        _record_again,
        _delete,
    ],
)
def test_a_row_cannot_go_round_its_record(db, way):
    user = person()
    with pytest.raises((IntegrityError, ProgrammingError)), transaction.atomic():
        way(user)
    assert User.objects.get(pk=user.pk).printed_name == "Ada"


@pytest.mark.requirement("URS-AUD-003")
def test_a_row_cannot_cite_the_record_of_another_transaction(ledger_db):
    with transaction.atomic():
        user = person()
    before = user.state_fields()
    user.printed_name = "Eve"
    with transaction.atomic():
        earlier = api.append(
            stream="people", kind="a.b.changed", subject=user, old=before, new=user.state_fields()
        )
    with pytest.raises(IntegrityError, match="another transaction"), transaction.atomic():
        user.save(record=earlier)


@pytest.mark.requirement("URS-AUD-003")
def test_bulk_create_of_regulated_rows_without_their_record_is_refused(db):
    record = api.append(stream="people", kind="a.b.made")
    people = [User(username=n, printed_name=n, record=record) for n in ("x", "y")]
    with pytest.raises(IntegrityError, match="0 times"), transaction.atomic():
        User.objects.bulk_create(people)


def test_a_regulated_row_is_not_saved_without_a_record(db):
    with pytest.raises(ValueError, match="names its record"):
        User(username="x", printed_name="X").save()


def test_records_are_not_written_through_the_model(db):
    with pytest.raises(TypeError):
        Record(stream="a", kind="b", payload="{}").save()
    with pytest.raises(TypeError):
        api.append(stream="a", kind="b.c.d").delete()


def test_a_payload_above_32_kib_is_refused_with_the_way_out(db):
    with pytest.raises(ValueError, match="blob"):
        api.append(stream="a", kind="b.c.d", reason="x" * 32_768)


def test_a_float_is_refused_before_it_reaches_the_database(db):
    with pytest.raises(api.NotCanonical, match="data"):
        api.append(stream="a", kind="b.c.d", data={"temperature": 36.9})


@pytest.mark.requirement("URS-AUD-010")
def test_each_record_names_person_process_and_build(db):
    ada = api.Actor("person", str(api.uuid7()), "Ada")
    with api.acting(ada, session="s", address="192.0.2.1"):
        told = api.content(api.append(stream="a", kind="b.c.d"))
    assert told["actor"] == {"kind": "person", "id": ada.id, "name": "Ada"}
    assert told["source"] == {
        "session": "s",
        "address": "192.0.2.1",
        "process": "tests",
        "software": api.software(),
    }


@pytest.mark.requirement("URS-AUD-010")
@pytest.mark.parametrize(
    ("kind", "identity", "why"),
    [("person", "1", "named by a UUID"), ("robot", "r2", "an actor is of one of")],
)
def test_an_actor_that_no_verifier_would_take_is_refused(kind, identity, why):
    with pytest.raises(ValueError, match=why):
        api.Actor(kind, identity, "Ada")


def test_a_blob_is_kept_once_and_only_under_its_own_digest(db):
    digest = api.put_blob(b"spectrum", "text/plain")
    assert api.put_blob(b"spectrum", "text/plain") == digest
    assert api.get_blob(digest) == b"spectrum"
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_blob (digest, content, media_type) VALUES (%s, 'x', 'text/plain')",
            ["0" * 64],
        )


@pytest.mark.parametrize("role", ["application", "gate", "auditor"])
def test_only_the_sealer_writes_blocks(ledger_db, as_role, role):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_role(role).execute(
            "INSERT INTO audit_block (number, header, leaves) VALUES (0, '{}', '')"
        )
