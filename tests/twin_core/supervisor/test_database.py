"""Roles and databases as `init_database` leaves them."""

import psycopg
import pytest
from django.db import connection

from twin_core.config.environment import database_settings
from twin_core.supervisor import database
from twin_core.supervisor.roles import RoleAddressWrong, logins

ROLES = ("application", "sealer", "gate", "auditor")


@pytest.mark.requirement("URS-SVC-002")
@pytest.mark.parametrize("role", ROLES)
def test_each_process_signs_in_as_its_own_role_without_privileges(as_role, role):
    row = as_role(role).execute(
        "SELECT session_user, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication "
        "FROM pg_roles WHERE rolname = current_user"
    )
    assert row.fetchone() == (f"twin_{role}", False, False, False, False, False)


@pytest.mark.requirement("URS-SVC-002")
def test_the_owner_of_the_tables_cannot_sign_in(as_role):
    found = as_role("superuser").execute(
        "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'twin_owner'"
    )
    assert found.fetchone() == (False,)


@pytest.mark.requirement("URS-SVC-002")
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.planted (x int)",
        "CREATE TEMP TABLE planted (x int)",
        "CREATE SCHEMA planted",
        "SET ROLE twin_owner",
        "SET SESSION AUTHORIZATION postgres",
    ],
)
def test_no_process_makes_anything_in_the_database_or_becomes_another(as_role, role, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_role(role).execute(statement)


@pytest.mark.requirement("URS-SVC-002")
@pytest.mark.parametrize("role", ("application", "sealer", "gate"))
def test_no_transaction_of_a_process_holds_back_sealing_for_long(as_role, role):
    session = as_role(role)
    assert session.execute("SHOW transaction_timeout").fetchone() == ("1min",)
    assert session.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("30s",)
    assert session.execute("SHOW max_prepared_transactions").fetchone() == ("0",)


@pytest.mark.requirement("URS-SVC-002")
def test_an_idle_transaction_is_ended_by_the_server(as_role):
    session = as_role("application")
    session.execute("SET idle_in_transaction_session_timeout = '50ms'")
    session.commit()
    session.execute("SELECT 1")
    as_role("superuser").execute("SELECT pg_sleep(0.2)")
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        session.execute("SELECT 1")


@pytest.mark.requirement("URS-SVC-002")
def test_a_process_cannot_enter_the_databases_of_others(services, ledger_db):
    environment = services.environment(ledger_db)
    _, mlflow = logins(environment)
    url = environment["TWIN_DATABASE_URL"].replace(f"/{ledger_db}", f"/{mlflow.database}")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(url)


@pytest.mark.requirement("URS-SVC-002")
def test_django_is_connected_as_the_application(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_user, current_database()")
        assert cursor.fetchone() == ("twin_application", connection.settings_dict["NAME"])


@pytest.mark.requirement("URS-SVC-003")
def test_initialising_twice_changes_nothing(services, ledger_db, as_role):
    ask = "SELECT oid, proacl::text FROM pg_proc WHERE proname = 'note_ddl'"
    before = as_role("superuser").execute(ask).fetchall()
    database.initialise(services.admin_url(), services.environment(ledger_db), verbosity=0)
    assert as_role("superuser").execute(ask).fetchall() == before


@pytest.mark.requirement("URS-SVC-003")
def test_a_change_of_the_schema_is_noted(as_role):
    owner = as_role("owner")
    owner.execute("CREATE TABLE probe (x int)")
    owner.execute("ALTER TABLE probe ADD COLUMN y int")
    owner.execute("GRANT SELECT ON probe TO twin_auditor")
    owner.execute("DROP TABLE probe")
    noted = owner.execute(
        "SELECT payload::jsonb #>> '{data,tag}', payload::jsonb #>> '{data,object_type}', "
        "payload::jsonb #>> '{data,object}' FROM audit_record WHERE kind = 'audit.schema.changed'"
    ).fetchall()
    assert ("CREATE TABLE", "table", "public.probe") in noted
    assert ("ALTER TABLE", "table", "public.probe") in noted
    assert ("GRANT", "TABLE", "") in noted
    assert ("DROP TABLE", "table", "public.probe") in noted


@pytest.mark.requirement("URS-SVC-003")
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER EVENT TRIGGER twin_ddl DISABLE",
        "DROP EVENT TRIGGER twin_drop",
        "DROP FUNCTION twin_guard.note_ddl() CASCADE",
        "DROP SCHEMA twin_guard CASCADE",
    ],
)
def test_the_owner_cannot_switch_off_the_note_of_changes(as_role, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_role("owner").execute(statement)


@pytest.mark.requirement("URS-SVC-003")
def test_an_administrator_who_is_no_superuser_is_told_so(services, ledger_db):
    url = services.environment(ledger_db)["TWIN_DATABASE_URL"]
    with pytest.raises(database.DatabaseRefused, match="superuser"):
        database.initialise(url, services.environment(ledger_db), verbosity=0)


@pytest.mark.requirement("URS-SVC-003")
def test_a_database_in_another_encoding_is_refused(services, ledger_db):
    with database.connect(services.admin_url()) as server:
        server.execute("CREATE DATABASE twin_latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        try:
            with pytest.raises(database.DatabaseRefused, match="LATIN1"):
                database.make_database(server, "twin_latin", owner="twin_owner")
        finally:
            server.execute("DROP DATABASE twin_latin")


@pytest.mark.requirement("URS-SVC-003")
def test_a_database_of_somebody_else_is_refused(services, ledger_db):
    with (
        database.connect(services.admin_url()) as server,
        pytest.raises(database.DatabaseRefused, match="belongs to"),
    ):
        database.make_database(server, "postgres", owner="twin_owner")


@pytest.mark.requirement("URS-SVC-002")
@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("TWIN_GATE_DATABASE_URL", None, "TWIN_GATE_DATABASE_URL is not set"),
        ("TWIN_DATABASE_URL", "postgresql://postgres:pw@/twin", "sign in as twin_application"),
        ("TWIN_SEALER_DATABASE_URL", "postgresql://twin_sealer@/twin", "needs a password"),
        ("TWIN_SEALER_DATABASE_URL", "postgresql://twin_sealer:pw@/other", "the same database"),
        ("TWIN_MLFLOW_DATABASE_URL", "postgresql://twin_mlflow:pw@/twin_x", "database of its own"),
    ],
)
def test_an_address_that_does_not_fit_its_role_is_refused(services, variable, value, complaint):
    environment = services.environment("twin_x")
    environment.pop(variable)
    if value is not None:
        environment[variable] = value
    with pytest.raises(RoleAddressWrong, match=complaint):
        logins(environment)


def test_an_address_is_never_shown_in_an_error():
    with pytest.raises(Exception, match="TWIN_X must be a postgresql") as refused:
        database_settings("TWIN_X", "mysql://u:topsecret@h/d")
    assert "topsecret" not in str(refused.value)
