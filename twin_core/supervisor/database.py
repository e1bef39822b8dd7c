"""Roles, databases and event triggers: made once by an administrator, never by a process.

``initialise`` may run again at any time: it makes what is missing, sets passwords to those of the
addresses, and migrates. The owner of tables cannot sign in; migrations act as the owner over the
administrator's connection.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, LiteralString

import psycopg
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from twin_core.config.environment import database_settings
from twin_core.supervisor.roles import OWNER, RECOVERY, Login, Role, logins

OLDEST_SERVER = 180000

# In a schema of its own: whoever owns a schema may drop what is in it, and `public` is the owner's.
GUARD_SCHEMA = "twin_guard"
SEARCH_SCHEMA = "twin_search"
SEARCH_EXTENSIONS = ("pg_trgm", "btree_gin")
# A record of each DDL command, whatever its schema; a session's own passing tables are left out.
# `ledger_note_ddl(tag, object type, identity)` comes with the ledger's migrations; before they
# have run there is nothing to write into.
NOTE_DDL: LiteralString = """
CREATE OR REPLACE FUNCTION twin_guard.note_ddl() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    change record;
BEGIN
    IF to_regprocedure('public.ledger_note_ddl(text,text,text)') IS NULL THEN
        RETURN;
    END IF;
    IF TG_EVENT = 'sql_drop' THEN
        FOR change IN SELECT DISTINCT object_type, object_identity
            FROM pg_event_trigger_dropped_objects()
            WHERE original AND NOT is_temporary
                AND coalesce(schema_name, 'public') !~ '^pg_temp'
        LOOP
            PERFORM public.ledger_note_ddl(TG_TAG, change.object_type, change.object_identity);
        END LOOP;
    ELSE
        FOR change IN SELECT DISTINCT object_type, object_identity
            FROM pg_event_trigger_ddl_commands()
            WHERE coalesce(schema_name, 'public') !~ '^pg_temp'
        LOOP
            PERFORM public.ledger_note_ddl(
                TG_TAG, change.object_type, coalesce(change.object_identity, ''));
        END LOOP;
    END IF;
END
$$
"""
EVENT_TRIGGERS = (("twin_ddl", "ddl_command_end"), ("twin_drop", "sql_drop"))


class DatabaseRefused(RuntimeError):
    """The server or a database does not fit; the message says what to do."""


def initialise(admin_url: str, environment: Mapping[str, str], *, verbosity: int = 1) -> str:
    """Make roles and databases, migrate, set the event triggers; return what was done.

    ``admin_url`` signs in as a superuser; ``environment`` holds the TWIN_*_DATABASE_URL that the
    processes will use. Raises DatabaseRefused or RoleAddressWrong.
    """
    ours, mlflow = logins(environment)
    database = ours[0].database
    with connect(admin_url) as server:
        check_server(server)
        for name in (OWNER, RECOVERY):
            make_role(server, name, login=None)
        for login in (*ours, mlflow):
            make_role(server, login.role.name, login=login)
        make_database(server, database, owner=OWNER)
        make_database(server, mlflow.database, owner=mlflow.role.name)
        close_database(server, database, [login.role for login in ours])
        close_database(server, mlflow.database, [mlflow.role])
    with connect(admin_url, database) as inside:
        close_schema(inside, [*(login.role.name for login in ours), RECOVERY])
        make_search_extensions(inside)
    with django_connected(admin_url, database=database, role=OWNER):
        call_command("migrate", interactive=False, verbosity=verbosity)
    with connect(admin_url, database) as inside:
        set_event_triggers(inside)
    return f"database {database} is ready, with roles {', '.join(x.role.name for x in ours)}"


def record_guards(admin_url: str, environment: Mapping[str, str], *, verbosity: int = 1) -> None:
    """Record triggers, grants, functions and roles as they are as those that are expected.

    Call it when ``initialise`` is done: it is the owner's act.
    """
    ours, _ = logins(environment)
    with django_connected(admin_url, database=ours[0].database, role=OWNER):
        call_command("record_guards", reason="made by init_database", verbosity=verbosity)


def connect(admin_url: str, database: str | None = None) -> psycopg.Connection[Any]:
    """Return an autocommit connection as administrator to a database (default: the address's)."""
    settings = database_settings("TWIN_DATABASE_ADMIN_URL", admin_url)
    return psycopg.connect(
        host=settings["HOST"] or None,
        port=settings["PORT"] or None,
        user=settings["USER"] or None,
        password=settings["PASSWORD"] or None,
        dbname=database or settings["NAME"] or "postgres",
        autocommit=True,
        **settings["OPTIONS"],
    )


def check_server(server: psycopg.Connection[Any]) -> None:
    if server.info.server_version < OLDEST_SERVER:
        raise DatabaseRefused("PostgreSQL 18 or later is needed (TWIN_DATABASE_ADMIN_URL)")
    row = server.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if row is None or not row[0]:
        raise DatabaseRefused(
            "TWIN_DATABASE_ADMIN_URL must sign in as a superuser: event triggers need one"
        )


def make_role(server: psycopg.Connection[Any], name: str, *, login: Login | None) -> None:
    """Make the role or bring it to what it should be: no privilege of the server's whatever."""
    role = sql.Identifier(name)
    known = server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    if not known:
        server.execute(sql.SQL("CREATE ROLE {}").format(role))
    server.execute(
        sql.SQL(
            "ALTER ROLE {} {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION "
            "NOBYPASSRLS"
        ).format(role, sql.SQL("LOGIN" if login else "NOLOGIN"))
    )
    if login is None:
        return
    # The verifier is made here: the server's log never sees the password.
    verifier = server.pgconn.encrypt_password(
        login.password.encode(), name.encode(), b"scram-sha-256"
    ).decode()
    server.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(verifier)))
    for setting, seconds in (
        ("transaction_timeout", login.role.transaction_timeout),
        ("idle_in_transaction_session_timeout", login.role.idle_timeout),
    ):
        server.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(
                role, sql.Identifier(setting), sql.Literal(f"{seconds}s")
            )
        )


def make_database(server: psycopg.Connection[Any], name: str, *, owner: str) -> None:
    """Make the database in UTF-8; refuse one that exists in another encoding or is another's."""
    row = server.execute(
        "SELECT pg_encoding_to_char(encoding), pg_get_userbyid(datdba) FROM pg_database "
        "WHERE datname = %s",
        [name],
    ).fetchone()
    if row is None:
        server.execute(
            sql.SQL(
                "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
            ).format(sql.Identifier(name), sql.Identifier(owner))
        )
    elif row[0] != "UTF8":
        raise DatabaseRefused(f"database {name} is encoded in {row[0]}; the ledger needs UTF8")
    elif row[1] != owner:
        raise DatabaseRefused(
            f"database {name} exists and belongs to {row[1]}: choose another name, or give it to "
            f"{owner} if it is meant for this product"
        )


def close_database(server: psycopg.Connection[Any], name: str, roles: list[Role]) -> None:
    """Let the given roles connect, and nobody else but the owner."""
    database = sql.Identifier(name)
    server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    for role in roles:
        server.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                database, sql.Identifier(role.name)
            )
        )


def close_schema(inside: psycopg.Connection[Any], roles: list[str]) -> None:
    """Let the given roles use the schema; nobody but the owner makes anything in it."""
    inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    for role in roles:
        inside.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(role)))


def make_search_extensions(inside: psycopg.Connection[Any]) -> None:
    """Make what the index beside the ledger is built with; both come with PostgreSQL's contrib.

    They lie in a schema of their own: none of their functions is in anybody's search path.
    """
    schema = sql.Identifier(SEARCH_SCHEMA)
    inside.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
    inside.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, sql.Identifier(OWNER)))
    for name in SEARCH_EXTENSIONS:
        try:
            inside.execute(
                sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA {}").format(
                    sql.Identifier(name), schema
                )
            )
        except psycopg.errors.FeatureNotSupported as error:
            raise DatabaseRefused(
                f"the server lacks the extension {name}: install PostgreSQL's contrib package"
            ) from error


def set_event_triggers(inside: psycopg.Connection[Any]) -> None:
    """Make the triggers that note DDL; they belong to the administrator, not to the owner."""
    inside.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(GUARD_SCHEMA)))
    inside.execute(NOTE_DDL)
    inside.execute("REVOKE ALL ON FUNCTION twin_guard.note_ddl() FROM PUBLIC")
    for name, event in EVENT_TRIGGERS:
        known = inside.execute(
            "SELECT 1 FROM pg_event_trigger WHERE evtname = %s", [name]
        ).fetchone()
        if not known:
            inside.execute(
                sql.SQL(
                    "CREATE EVENT TRIGGER {} ON {} EXECUTE FUNCTION twin_guard.note_ddl()"
                ).format(sql.Identifier(name), sql.SQL(event))
            )
        inside.execute(sql.SQL("ALTER EVENT TRIGGER {} ENABLE ALWAYS").format(sql.Identifier(name)))


@contextlib.contextmanager
def django_connected(url: str, *, database: str, role: str | None = None) -> Iterator[None]:
    """Point Django's default connection elsewhere for the length of the block.

    ``role`` is taken on at sign-in (``SET ROLE``), which a superuser or a member may.
    """
    connection = connections["default"]
    settings = database_settings("TWIN_DATABASE_ADMIN_URL", url) | {"NAME": database}
    if role is not None:
        settings["OPTIONS"] = {**settings["OPTIONS"], "options": f"-c role={role}"}
    before = {name: connection.settings_dict[name] for name in settings}
    connection.close()
    connection.settings_dict.update(settings)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)
