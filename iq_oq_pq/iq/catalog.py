"""Questions to PostgreSQL's catalogues that installation steps ask; any role may ask them."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import apps
from django.db import connection

from audit.api import RegulatedModel

LEDGER = "audit_record"
APPEND_ONLY = (LEDGER, "audit_block", "audit_tile", "audit_checkpoint", "audit_blob")

Right = tuple[str, str, str]  # table, role, privilege; a column's right as INSERT(stream)

TABLE_RIGHTS = """
SELECT c.relname, coalesce(r.rolname, 'PUBLIC'), a.privilege_type
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
  AND a.grantee <> c.relowner
UNION ALL
SELECT c.relname, coalesce(r.rolname, 'PUBLIC'), a.privilege_type || '(' || t.attname || ')'
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid
CROSS JOIN LATERAL aclexplode(t.attacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE c.relnamespace = 'public'::regnamespace AND a.grantee <> c.relowner
ORDER BY 1, 2, 3"""
TRIGGERS = """
SELECT c.relname, t.tgname, t.tgenabled::text, pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace ORDER BY 1, 2"""
FUNCTIONS = """
SELECT pg_get_functiondef(p.oid) FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
  AND (p.proname LIKE 'ledger\\_%%' OR p.proname LIKE '%%\\_cites') ORDER BY p.proname"""
ROLES = """
SELECT rolname, rolcanlogin, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication
    OR rolbypassrls
FROM pg_roles WHERE rolname LIKE 'twin\\_%%' ORDER BY 1"""
MEMBERS = """
SELECT m.rolname, r.rolname FROM pg_auth_members a
JOIN pg_roles m ON m.oid = a.member JOIN pg_roles r ON r.oid = a.roleid
WHERE m.rolname LIKE 'twin\\_%%' AND m.rolname <> 'twin_owner' ORDER BY 1, 2"""

PARTITIONS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::regclass ORDER BY 1"""


def ask(query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query as the role that the protocol runs as."""
    with connection.cursor() as cursor:
        cursor.execute(query, list(parameters))
        return cursor.fetchall()


def setting(name: str) -> str:
    """Return one of the server's settings as text."""
    return str(ask("SELECT current_setting(%s)", [name])[0][0])


def partitions() -> list[str]:
    """Return the partitions of the ledger's table."""
    return [name for (name,) in ask(PARTITIONS, [LEDGER])]


def regulated_tables() -> list[str]:
    """Return the tables of all regulated rows of the installed packages."""
    models = [model for model in apps.get_models() if issubclass(model, RegulatedModel)]
    return sorted(model._meta.db_table for model in models)


def required_triggers() -> set[tuple[str, str]]:
    """Return (table, trigger) for every guard that the database has to hold."""
    kept = {(table, f"{table}_keep") for table in (*APPEND_ONLY, *regulated_tables())}
    whole = {(table, f"{table}_keep_all") for table, _ in kept}
    events = ("", "_change")
    cites = {(table, f"{table}_cites{event}") for table in regulated_tables() for event in events}
    inherited = {(part, f"{LEDGER}_{guard}") for part in partitions() for guard in GUARDS}
    return kept | whole | cites | inherited


GUARDS = ("keep", "keep_all")


def rights() -> set[Right]:
    """Return every right on a table or column that somebody but its owner holds."""
    return {(table, role, privilege) for table, role, privilege in ask(TABLE_RIGHTS)}


def as_lines(rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as text to attach: one a line, fields separated by tabs."""
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)
