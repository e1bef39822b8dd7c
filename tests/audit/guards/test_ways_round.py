"""Ways round the trail that need more than one statement, and the records that a try leaves."""

import threading
import time
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from audit import api, sealer
from audit.models import Record, User
from tests.audit.test_record_store import person

FOREIGN = ("dblink", "file_fdw", "postgres_fdw", "plpython3u", "plperlu", "adminpack")
INSERT = (
    "INSERT INTO audit_record (stream, kind, payload) VALUES "
    """('a', 'b.c.d', '{"kind":"b.c.d","stream":"a"}')"""
)


def told(name: str) -> list[str]:
    """Return the printed names that records of a person tell."""
    found = Record.objects.filter(stream="people", payload__contains=name).order_by("id")
    return [api.content(one)["changes"][0]["new"]["printed_name"] for one in found]


def renamed(user: User, name: str) -> None:
    before = user.state_fields()
    user.printed_name = name
    record = api.append(
        stream="people", kind="a.b.changed", subject=user, old=before, new=user.state_fields()
    )
    user.save(record=record)


# ------------------------------------------------------------------ savepoints
@pytest.mark.requirement("URS-AUD-050")
def test_what_a_savepoint_takes_back_takes_its_record_with_it(ledger_db):
    with transaction.atomic():
        user = person()
        with pytest.raises(RuntimeError), transaction.atomic():
            renamed(user, "Eve")
            raise RuntimeError("back to the savepoint")
    assert User.objects.get().printed_name == "Ada"
    assert told("Eve") == []


@pytest.mark.requirement("URS-AUD-050")
@pytest.mark.parametrize("keep", [(True, True), (True, False), (False, True)])
def test_nested_savepoints_keep_row_and_record_together(ledger_db, keep):
    outer, inner = keep
    with transaction.atomic():
        user = person()
        fresh = User.objects.get()
        first = transaction.savepoint()
        renamed(fresh, "Bea")
        second = transaction.savepoint()
        renamed(fresh, "Cleo")
        (transaction.savepoint_commit if inner else transaction.savepoint_rollback)(second)
        (transaction.savepoint_commit if outer else transaction.savepoint_rollback)(first)
    assert user.pk == User.objects.get().pk
    expected = {(True, True): "Cleo", (True, False): "Bea", (False, True): "Ada"}[keep]
    assert User.objects.get().printed_name == expected
    assert told(str(user.pk))[-1] == expected


@pytest.mark.requirement("URS-AUD-050")
def test_a_record_of_a_savepoint_taken_back_cannot_be_cited(ledger_db):
    with pytest.raises(IntegrityError, match="does not exist"), transaction.atomic():
        user = person()
        before = user.state_fields()
        user.printed_name = "Eve"
        mark = transaction.savepoint()
        record = api.append(
            stream="people", kind="a.b.changed", subject=user, old=before, new=user.state_fields()
        )
        transaction.savepoint_rollback(mark)
        user.save(record=record)


# ------------------------------------------------------- long transactions
@pytest.mark.requirement("URS-AUD-058")
def test_each_role_that_writes_is_bounded_by_the_server(ledger_db, as_role):
    for role in ("application", "sealer", "gate"):
        shown = [
            as_role(role).execute(f"SHOW {name}").fetchone()
            for name in ("transaction_timeout", "idle_in_transaction_session_timeout")
        ]
        assert shown == [("1min",), ("30s",)]
    (prepared,) = as_role("application").execute("SHOW max_prepared_transactions").fetchone()
    assert prepared == "0"


@pytest.mark.requirement("URS-AUD-058")
def test_a_transaction_left_open_is_ended_and_what_waited_for_it_is_sealed(ledger, as_role):
    forgotten = as_role("application")
    forgotten.execute("SET idle_in_transaction_session_timeout = '300ms'")
    forgotten.commit()
    forgotten.execute(INSERT)
    with transaction.atomic():
        api.append(stream="a", kind="waits.for.it")
    with ledger.as_sealer():
        assert ledger.sealer().seal() == 0
    deadline = time.monotonic() + 30
    while (sealed := ledger.seal()) == 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert sealed == 1
    with pytest.raises(psycopg.Error):
        forgotten.execute("SELECT 1")


@pytest.mark.requirement("URS-AUD-058")
@pytest.mark.parametrize("role", ["application", "gate", "superuser"])
def test_the_alarm_of_late_sealing_names_the_session(ledger, as_role, role):
    holder = as_role(role)
    holder.execute(INSERT)
    with ledger.as_sealer():
        named = sealer._oldest_session()
    assert f"process {holder.info.backend_pid} of {holder.info.user}" in named


# ------------------------------------------------------------------------ COPY
@pytest.mark.requirement("URS-AUD-050")
def test_copy_into_the_three_columns_writes_records_like_any_other(ledger, as_role):
    session = as_role("application")
    copy = "COPY audit_record (stream, kind, payload) FROM STDIN"
    with session.cursor() as cursor, cursor.copy(copy) as rows:
        rows.write_row(("a", "b.c.d", '{"kind":"b.c.d","stream":"a"}'))
    session.commit()
    (record,) = Record.objects.all()
    assert api.is_intact(record)
    assert ledger.seal() == 1


@pytest.mark.requirement("URS-AUD-050")
@pytest.mark.parametrize("extra", ["id", "transaction", "recorded_at", "leaf"])
def test_copy_into_any_other_column_is_refused(ledger_db, as_role, extra):
    session = as_role("application")
    copy = f"COPY audit_record (stream, kind, payload, {extra}) FROM STDIN"
    refused = (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidColumnReference)
    with pytest.raises(refused), session.cursor() as cursor, cursor.copy(copy):
        pass


# --------------------------------------------------------- other roles' rights
OUT_OF_BOUNDS = (
    "SET ROLE twin_owner",
    "SET SESSION AUTHORIZATION twin_owner",
    "SET session_replication_role = replica",
    "SET event_triggers = off",
    "SET allow_system_table_mods = on",
    "ALTER ROLE CURRENT_USER SET session_replication_role = replica",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER TABLE audit_record DISABLE TRIGGER ALL",
    "DROP TRIGGER audit_record_keep ON audit_record",
    "DROP TABLE audit_record CASCADE",
    "ALTER TABLE audit_record DETACH PARTITION audit_record_{month}",
    "CREATE RULE quiet AS ON INSERT TO audit_record DO INSTEAD NOTHING",
    "CREATE TABLE odd (id integer)",
    "CREATE TEMP TABLE audit_record (id integer)",
    "CREATE SCHEMA odd",
    "CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql "
    "AS 'BEGIN RETURN NEW; END'",
    "CREATE EXTENSION dblink",
    "CREATE PUBLICATION away FOR ALL TABLES",
    "COPY audit_record TO PROGRAM 'cat'",
    "COPY audit_blob (digest, content, media_type) FROM '/etc/passwd'",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/away')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT ledger_note_ddl('a', 'b', 'c')",
    "LOCK TABLE audit_record IN ACCESS EXCLUSIVE MODE",
    "DO $$ BEGIN EXECUTE 'DELETE FROM audit_record'; END $$",
    "WITH gone AS (DELETE FROM audit_record RETURNING 1) SELECT count(*) FROM gone",
    "WITH moved AS (UPDATE audit_block SET header = header RETURNING 1) TABLE moved",
    "SECURITY LABEL ON TABLE audit_record IS 'open'",
    "PREPARE TRANSACTION 'kept open'",
)
REFUSED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UndefinedFile,  # an extension that is not even there
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.ObjectNotInPrerequisiteState,  # prepared transactions are switched off
    psycopg.errors.InvalidParameterValue,  # no provider of labels is loaded
)


def this_month() -> str:
    return time.strftime("%Y%m", time.gmtime())


@pytest.mark.requirement("URS-AUD-050")
@pytest.mark.parametrize("role", ["application", "sealer", "gate", "auditor"])
def test_no_role_steps_out_of_its_rights(ledger_db, as_role, role):
    session = as_role(role)
    succeeded = []
    for attempt in OUT_OF_BOUNDS:
        try:
            session.execute(attempt.replace("{month}", this_month()))
            succeeded.append(attempt)
        except REFUSED:
            pass
        session.rollback()
    assert succeeded == []


@pytest.mark.requirement("URS-AUD-050")
def test_functions_that_run_as_their_owner_open_nothing(ledger_db, as_role):
    """Each such function that a role may call is known, with what it may do."""
    known = {
        "ledger_make_partitions(integer)": {"twin_sealer"},
        "ledger_unknown_leaf(bytea[])": {"twin_application", "twin_sealer", "twin_gate"},
        "ledger_note_ddl(text,text,text)": set(),
    }
    rows = (
        as_role("superuser")
        .execute(
            "SELECT p.oid::regprocedure::text, array_remove(array_agg(r.rolname) FILTER (WHERE "
            "has_function_privilege(r.oid, p.oid, 'EXECUTE')), NULL), "
            "bool_or(p.proconfig @> ARRAY['search_path=public, pg_temp']) "
            "FROM pg_proc p, pg_roles r "
            "WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace "
            "AND r.rolname ~ '^twin_(application|sealer|gate|auditor)$' GROUP BY 1"
        )
        .fetchall()
    )
    found = {name: set(roles or ()) for name, roles, _ in rows}
    assert {name: found.get(name) for name in known} == known
    assert all(is_bound for _, _, is_bound in rows), "each has its search path fixed"


@pytest.mark.requirement("URS-AUD-050")
def test_nothing_that_reaches_outside_is_installed(ledger_db, as_role):
    installed = as_role("superuser").execute("SELECT extname FROM pg_extension").fetchall()
    assert not {name for (name,) in installed} & set(FOREIGN)


# ----------------------------------------------------- the owner and partitions
@pytest.mark.requirement("URS-AUD-050")
def test_a_partition_with_rows_of_another_past_is_not_attached(ledger_db, as_role):
    """ATTACH scans nothing that a trigger could refuse; the watch and the verifier find it."""
    from audit.guards import fingerprints

    before = fingerprints.take()
    owner = as_role("owner")
    owner.execute("CREATE TABLE odd (LIKE audit_record INCLUDING ALL)")
    owner.execute(
        "ALTER TABLE audit_record ATTACH PARTITION odd FOR VALUES "
        "FROM ('ffff0000-0000-0000-0000-000000000000') TO (MAXVALUE)"
    )
    owner.commit()
    named = [str(one) for one in fingerprints.differences(before, fingerprints.take())]
    assert "partition public.odd is new" in named
    assert "partition public.odd: trigger audit_record_keep_all is gone" in named


COMMANDS = (
    ("ALTER TABLE audit_block DISABLE TRIGGER audit_block_keep", "ALTER TABLE"),
    ("DROP TRIGGER audit_tile_keep ON audit_tile", "DROP TRIGGER"),
    ("DROP TABLE audit_checkpoint", "DROP TABLE"),
    ("GRANT UPDATE ON audit_block TO twin_application", "GRANT"),
    ("REVOKE SELECT ON audit_block FROM twin_auditor", "REVOKE"),
    ("GRANT EXECUTE ON FUNCTION ledger_leaf(text) TO PUBLIC", "GRANT"),
    ("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC", "ALTER DEFAULT PRIVILEGES"),
    ("CREATE RULE quiet AS ON INSERT TO audit_tile DO INSTEAD NOTHING", "CREATE RULE"),
    ("CREATE VIEW looks AS SELECT 1", "CREATE VIEW"),
    ("ALTER FUNCTION ledger_leaf(text) OWNER TO postgres", "ALTER FUNCTION"),
    (
        "CREATE OR REPLACE FUNCTION odd() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION",
    ),
    ("ALTER TABLE audit_record DETACH PARTITION audit_record_{last}", "ALTER TABLE"),
    ("CREATE SCHEMA odd", "CREATE SCHEMA"),
    ("ALTER TABLE audit_tile SET SCHEMA twin_guard", "ALTER TABLE"),
    ("CREATE TABLE twin_guard.odd (id integer)", "CREATE TABLE"),
    ("CREATE PUBLICATION away", "CREATE PUBLICATION"),
    ("COMMENT ON TABLE audit_record IS 'mine'", "COMMENT"),
    ("CREATE FOREIGN DATA WRAPPER elsewhere", "CREATE FOREIGN DATA WRAPPER"),
    ("CREATE CAST (xid8 AS integer) WITH INOUT", "CREATE CAST"),
)


@pytest.mark.requirement("URS-AUD-053")
def test_each_command_that_touches_the_schema_leaves_its_record(ledger_db, as_role):
    session = as_role("superuser")
    (last,) = session.execute(
        "SELECT max(inhrelid::regclass::text) FROM pg_inherits "
        "WHERE inhparent = 'audit_record'::regclass"
    ).fetchone()
    for statement, tag in COMMANDS:
        session.execute(statement.replace("audit_record_{last}", last))
        rows = session.execute("SELECT payload FROM audit_record").fetchall()
        told = [api.decode(payload.encode()) for (payload,) in rows]  # raises if not canonical
        assert {one["data"]["tag"] for one in told} == {tag}, statement
        assert {one["actor"]["id"] for one in told} == {"postgres"}
        session.rollback()


@pytest.mark.requirement("URS-AUD-053")
def test_a_passing_table_of_a_session_leaves_no_record(ledger_db, as_role):
    session = as_role("superuser")
    session.execute("CREATE TEMP TABLE passing (id integer)")
    session.execute("DROP TABLE passing")
    session.commit()
    assert Record.objects.count() == 0


# --------------------------------------------------------------- cited records
@pytest.mark.requirement("URS-REC-001")
@pytest.mark.requirement("URS-AUD-055")
def test_a_record_that_cites_nothing_known_is_refused_and_named(ledger_db):
    known = api.append_alone(stream="a", kind="b.c.d")
    for parents in ([b"\7" * 32], [bytes(known.leaf), b"\7" * 32]):
        with pytest.raises(api.ParentUnknown, match="07" * 32), transaction.atomic():
            api.append(stream="a", kind="b.c.d", parents=parents)
    assert Record.objects.count() == 1


@pytest.mark.requirement("URS-AUD-055")
def test_a_record_of_the_same_transaction_can_be_cited(ledger_db):
    with transaction.atomic():
        first = api.append(stream="a", kind="b.c.d")
        second = api.append(stream="a", kind="b.c.d", parents=[first.leaf, first.leaf])
    assert api.content(second)["parents"] == [bytes(first.leaf).hex()] * 2


@pytest.mark.requirement("URS-AUD-055")
def test_a_record_that_another_transaction_has_not_committed_cannot_be_cited(ledger_db, as_role):
    session = as_role("application")
    (leaf,) = session.execute(INSERT + " RETURNING leaf").fetchone()
    with pytest.raises(api.ParentUnknown), transaction.atomic():
        api.append(stream="a", kind="b.c.d", parents=[leaf])
    session.commit()
    with transaction.atomic():
        api.append(stream="a", kind="b.c.d", parents=[leaf])


@pytest.mark.requirement("URS-AUD-055")
def test_a_record_of_months_ago_can_be_cited(ledger_db, as_role):
    owner = as_role("owner")
    owner.execute(
        "CREATE TABLE audit_record_202001 PARTITION OF audit_record FOR VALUES "
        "FROM (ledger_partition_bound('2020-01-01')) TO (ledger_partition_bound('2020-02-01'))"
    )
    (leaf,) = owner.execute(
        "INSERT INTO audit_record (id, stream, kind, payload) VALUES "
        "(ledger_partition_bound('2020-01-02'), 'a', 'b.c.d', "
        """'{"kind":"b.c.d","old":1,"stream":"a"}') RETURNING leaf"""
    ).fetchone()
    owner.commit()
    with transaction.atomic():
        api.append(stream="a", kind="b.c.d", parents=[leaf])


def test_each_partition_has_the_index_that_finds_a_leaf(ledger_db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE x.indexdef LIKE '%(leaf)'), count(DISTINCT inhrelid) "
            "FROM pg_inherits JOIN pg_indexes x ON x.tablename = inhrelid::regclass::text "
            "WHERE inhparent = 'audit_record'::regclass"
        )
        leaves, partitions = cursor.fetchone()
    assert leaves == partitions >= 3


# -------------------------------------------------------------- at the same time
@pytest.mark.requirement("URS-AUD-050")
def test_ten_threads_that_roll_back_at_random_leave_rows_and_records_equal(ledger):
    def work(seed: int) -> None:
        import random

        dice = random.Random(seed)
        try:
            for number in range(6):
                with transaction.atomic():
                    person(f"p{seed}x{number}")
                    if dice.random() < 0.4:
                        transaction.set_rollback(True)
        finally:
            connection.close()

    threads: list[Any] = [threading.Thread(target=work, args=[seed]) for seed in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert User.objects.count() == Record.objects.count() == ledger.seal()
    assert ledger.verify().finding is None
