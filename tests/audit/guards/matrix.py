"""Every protected table, every verb, every role: made from the database's own catalogue."""

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

# Not guarded, and never the only home of a fact. What is in neither list has to be guarded.
OPEN = {
    "audit_exportjob": "exports under way; asking for one, its making and its deletion are records",
    "audit_opensession": "sessions open now; their beginning and end are records",
    "audit_searchbucket": "index of the desk, made from the records and made anew at will",
    "audit_searchedge": "index of the desk",
    "audit_searchkind": "index of the desk",
    "audit_searchrow": "index of the desk",
    "audit_standing": "whether the ledger is open, which the sealer alone says; told by records",
    "auth_group": "Django's own, unused: roles are rows of audit_rolegrant",
    "auth_group_permissions": "Django's own, unused",
    "auth_permission": "Django's own, unused",
    "django_content_type": "Django's own, names of models",
    "django_migrations": "Django's own; each migration's commands are records",
    "django_session": "Django's own, unused",
    "models_registry_trackingtask": "copies to the tracking store under way; it is no authority",
    "twin_core_journalsample": "readings of the last minute, before their segment is sealed",
    "twin_core_outboxtask": "work under way; what it does is on record",
    "twin_core_servicestatus": "signs of life for the health page",
    "twin_core_tagstatus": "the last reading of a tag for the pages",
}
ROLES = ("application", "sealer", "gate", "auditor")
REFUSED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.IntegrityConstraintViolation,
    psycopg.errors.CheckViolation,
    psycopg.errors.UniqueViolation,  # an exact copy: nothing was added
    psycopg.errors.InvalidColumnReference,  # ON CONFLICT, where the key has several columns
    psycopg.errors.FeatureNotSupported,  # TRUNCATE of a table that others refer to
)
VERBS = (
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "TRUNCATE CASCADE",
    "INSERT",
    "MERGE",
    "ON CONFLICT",
    "COPY",
)


def tables(session: psycopg.Connection[Any]) -> list[str]:
    """Return every table of the public schema, partitions too, that is not known to be open."""
    found = session.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'p') ORDER BY 1"
    ).fetchall()
    return [name for (name,) in found if name not in OPEN]


def unguarded(session: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """Return the events that no refusing trigger of the ALWAYS kind stands against, by table."""
    stands: dict[str, int] = {}
    for table, bits in session.execute(
        "SELECT tgrelid::regclass::text, tgtype FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid "
        "WHERE NOT tgisinternal AND tgenabled = 'A' AND p.proname ~ %s",
        ["^(ledger_refuse_change|audit_personalkey_ends|.*_cites)$"],
    ).fetchall():
        stands[table] = stands.get(table, 0) | bits
    events = {"DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
    missing = {
        table: [name for name, bit in events.items() if not stands.get(table, 0) & bit]
        for table in tables(session)
    }
    return {table: names for table, names in missing.items() if names}


def key_of(session: psycopg.Connection[Any], table: str) -> str:
    row = session.execute(
        "SELECT a.attname FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid "
        "AND a.attnum = x.indkey[0] WHERE x.indrelid = %s::regclass AND x.indisprimary",
        [table],
    ).fetchone()
    assert row is not None, f"{table} has no primary key"
    return str(row[0])


def columns_of(session: psycopg.Connection[Any], table: str) -> list[str]:
    """Return the columns that a writer would name: none that the database computes."""
    rows = session.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
        "AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        [table],
    ).fetchall()
    return [str(name) for (name,) in rows]


def statement(session: psycopg.Connection[Any], table: str, verb: str) -> sql.Composed:
    """Return one attempt to change a table's first row, or to add a copy of it."""
    key, columns = key_of(session, table), columns_of(session, table)
    other = next(name for name in columns if name != key)
    parts = {
        "t": sql.Identifier(table),
        "k": sql.Identifier(key),
        "c": sql.Identifier(other),
        "all": sql.SQL(", ").join(map(sql.Identifier, columns)),
    }
    text = {
        "UPDATE": "UPDATE {t} SET {c} = {c}",
        "DELETE": "DELETE FROM {t}",
        "TRUNCATE": "TRUNCATE {t}",
        "TRUNCATE CASCADE": "TRUNCATE {t} CASCADE",
        "INSERT": "INSERT INTO {t} ({all}) SELECT {all} FROM {t}",
        "MERGE": "MERGE INTO {t} USING (SELECT * FROM {t}) s ON {t}.{k} = s.{k} "
        "WHEN MATCHED THEN UPDATE SET {c} = s.{c}",
        "ON CONFLICT": "INSERT INTO {t} ({all}) SELECT {all} FROM {t} "
        "ON CONFLICT ({k}) DO UPDATE SET {c} = EXCLUDED.{c}",
        "COPY": "COPY {t} ({all}) FROM STDIN",
    }[verb]
    return sql.SQL(text).format(**parts)


def has_rows(session: psycopg.Connection[Any], table: str) -> bool:
    found = session.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(table)))
    return found.fetchone() is not None


def copied(session: psycopg.Connection[Any], table: str) -> bytes:
    """Return a table's rows as COPY gives them."""
    columns = sql.SQL(", ").join(map(sql.Identifier, columns_of(session, table)))
    told = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(columns, sql.Identifier(table))
    with session.cursor() as cursor, cursor.copy(told) as rows:
        return b"".join(bytes(row) for row in rows)


def succeeds(
    session: psycopg.Connection[Any], attempt: sql.Composed, rows: bytes | None = None
) -> bool:
    """Return whether an attempt had an effect; the session is as before. ``rows`` feed a COPY."""
    try:
        with session.transaction(force_rollback=True), session.cursor() as cursor:
            if rows is not None:
                with cursor.copy(attempt) as target:
                    target.write(rows)
            else:
                cursor.execute(attempt)
            return cursor.rowcount != 0
    except REFUSED:
        return False


def attempts(
    eye: psycopg.Connection[Any], session: psycopg.Connection[Any], *, on: list[str]
) -> Iterator[tuple[str, str, bool]]:
    """Yield (table, verb, whether it succeeded); ``eye`` sees everything, ``session`` tries."""
    for table in on:
        for verb in VERBS:
            rows = copied(eye, table) if verb == "COPY" else None
            yield table, verb, succeeds(session, statement(eye, table, verb), rows)
