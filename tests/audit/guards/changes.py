"""Ways to switch the audit off, as a superuser or the owner would write them, with their undo."""

from typing import NamedTuple

MONTH = "audit_record_{month}"


class Change(NamedTuple):
    """What is done, how it is undone, and what the watch must name."""

    do: str
    undo: str
    names: str
    is_kept_apart: bool = False  # reaches beyond the database, or has no undo: never committed


CHANGES = {
    "a trigger disabled": Change(
        "ALTER TABLE audit_block DISABLE TRIGGER audit_block_keep",
        "ALTER TABLE audit_block ENABLE ALWAYS TRIGGER audit_block_keep",
        "trigger public.audit_block audit_block_keep has changed",
    ),
    "a trigger that replicas do not fire": Change(
        "ALTER TABLE audit_block ENABLE TRIGGER audit_block_keep",
        "ALTER TABLE audit_block ENABLE ALWAYS TRIGGER audit_block_keep",
        "trigger public.audit_block audit_block_keep has changed",
    ),
    "all triggers disabled": Change(
        "ALTER TABLE audit_user DISABLE TRIGGER ALL",
        "ALTER TABLE audit_user ENABLE TRIGGER ALL; "
        "ALTER TABLE audit_user ENABLE ALWAYS TRIGGER audit_user_cites; "
        "ALTER TABLE audit_user ENABLE ALWAYS TRIGGER audit_user_cites_change; "
        "ALTER TABLE audit_user ENABLE ALWAYS TRIGGER audit_user_keep; "
        "ALTER TABLE audit_user ENABLE ALWAYS TRIGGER audit_user_keep_all",
        "trigger public.audit_user audit_user_cites has changed",
    ),
    "a trigger dropped": Change(
        "DROP TRIGGER audit_tile_keep_all ON audit_tile",
        "CREATE TRIGGER audit_tile_keep_all BEFORE TRUNCATE ON audit_tile FOR EACH STATEMENT "
        "EXECUTE FUNCTION ledger_refuse_change(); "
        "ALTER TABLE audit_tile ENABLE ALWAYS TRIGGER audit_tile_keep_all",
        "trigger public.audit_tile audit_tile_keep_all is gone",
    ),
    "a partition's own trigger dropped": Change(
        f"DROP TRIGGER audit_record_keep_all ON {MONTH}",
        f"CREATE TRIGGER audit_record_keep_all BEFORE TRUNCATE ON {MONTH} FOR EACH STATEMENT "
        f"EXECUTE FUNCTION ledger_refuse_change(); "
        f"ALTER TABLE {MONTH} ENABLE ALWAYS TRIGGER audit_record_keep_all",
        f"partition public.{MONTH}: trigger audit_record_keep_all is gone",
    ),
    "a trigger that runs first and swallows": Change(
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RETURN NULL; END'; CREATE TRIGGER a_first BEFORE INSERT ON audit_checkpoint "
        "FOR EACH ROW EXECUTE FUNCTION swallow()",
        "DROP TRIGGER a_first ON audit_checkpoint; DROP FUNCTION swallow()",
        "trigger public.audit_checkpoint a_first is new",
    ),
    "a right granted": Change(
        "GRANT UPDATE ON audit_record TO twin_application",
        "REVOKE UPDATE ON audit_record FROM twin_application",
        "table public.audit_record has changed",
    ),
    "a right on one column granted": Change(
        "GRANT INSERT (recorded_at) ON audit_record TO twin_application",
        "REVOKE INSERT (recorded_at) ON audit_record FROM twin_application",
        "column public.audit_record recorded_at has changed",
    ),
    "a partition opened by itself": Change(
        f"GRANT DELETE ON {MONTH} TO PUBLIC",
        f"REVOKE ALL ON {MONTH} FROM PUBLIC",
        f"partition public.{MONTH}: table has changed",
    ),
    "rights on tables yet to come": Change(
        "ALTER DEFAULT PRIVILEGES FOR ROLE twin_owner GRANT ALL ON TABLES TO twin_application",
        "ALTER DEFAULT PRIVILEGES FOR ROLE twin_owner REVOKE ALL ON TABLES FROM twin_application",
        "default grants",
    ),
    "the schema opened": Change(
        "GRANT CREATE ON SCHEMA public TO twin_application",
        "REVOKE CREATE ON SCHEMA public FROM twin_application",
        "schema public has changed",
    ),
    "a rule that does nothing instead": Change(
        "CREATE RULE quiet AS ON INSERT TO audit_checkpoint DO INSTEAD NOTHING",
        "DROP RULE quiet ON audit_checkpoint",
        "rule public.audit_checkpoint quiet is new",
    ),
    "a view in the table's place": Change(
        "ALTER TABLE audit_blob RENAME TO audit_blob_before; "
        "CREATE VIEW audit_blob AS SELECT * FROM audit_blob_before",
        "DROP VIEW audit_blob; ALTER TABLE audit_blob_before RENAME TO audit_blob",
        "table public.audit_blob has changed",
    ),
    "the function of the triggers replaced": Change(
        "ALTER FUNCTION ledger_refuse_change() RENAME TO ledger_refuse_change_before; "
        "CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RETURN NEW; END'",
        "DROP FUNCTION ledger_refuse_change(); "
        "ALTER FUNCTION ledger_refuse_change_before() RENAME TO ledger_refuse_change",
        "function public.ledger_refuse_change() has changed",
    ),
    "a function that runs as its owner": Change(
        "CREATE FUNCTION side_door() RETURNS void LANGUAGE sql SECURITY DEFINER AS "
        "'UPDATE audit_user SET printed_name = printed_name'",
        "DROP FUNCTION side_door()",
        "function public.side_door() is new",
    ),
    "a function told to run as its owner": Change(
        "ALTER FUNCTION ledger_refuse_change() SECURITY DEFINER",
        "ALTER FUNCTION ledger_refuse_change() SECURITY INVOKER",
        "function public.ledger_refuse_change() has changed",
    ),
    "a function of a guard opened": Change(
        "GRANT EXECUTE ON FUNCTION ledger_note_ddl(text, text, text) TO twin_application",
        "REVOKE EXECUTE ON FUNCTION ledger_note_ddl(text, text, text) FROM twin_application",
        "function public.ledger_note_ddl(text,text,text) has changed",
    ),
    "an event trigger disabled": Change(
        "ALTER EVENT TRIGGER twin_ddl DISABLE",
        "ALTER EVENT TRIGGER twin_ddl ENABLE ALWAYS",
        "event trigger twin_ddl has changed",
    ),
    "a constraint dropped": Change(
        "ALTER TABLE audit_blob DROP CONSTRAINT blob_is_its_digest",
        "ALTER TABLE audit_blob ADD CONSTRAINT blob_is_its_digest "
        "CHECK (digest = encode(sha256(content), 'hex'))",
        "constraint public.audit_blob blob_is_its_digest is gone",
    ),
    "an index that keeps proofs single dropped": Change(
        "ALTER TABLE audit_tile DROP CONSTRAINT one_tile_a_place",
        "ALTER TABLE audit_tile ADD CONSTRAINT one_tile_a_place UNIQUE (level, position)",
        "index public.audit_tile one_tile_a_place is gone",
    ),
    "a default that tells another time": Change(
        "ALTER TABLE audit_record ALTER recorded_at SET DEFAULT '2026-01-01 00:00+00'",
        "ALTER TABLE audit_record ALTER recorded_at SET DEFAULT clock_timestamp()",
        "column public.audit_record recorded_at has changed",
    ),
    "a table that a crash empties": Change(
        "ALTER TABLE audit_checkpoint SET UNLOGGED",
        "ALTER TABLE audit_checkpoint SET LOGGED",
        "table public.audit_checkpoint has changed",
    ),
    "another owner": Change(
        "ALTER TABLE audit_checkpoint OWNER TO postgres",
        "ALTER TABLE audit_checkpoint OWNER TO twin_owner",
        "table public.audit_checkpoint has changed",
    ),
    "row security that hides": Change(
        "ALTER TABLE audit_tile ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE audit_tile DISABLE ROW LEVEL SECURITY",
        "table public.audit_tile has changed",
    ),
    "a partition attached by hand": Change(
        "CREATE TABLE odd PARTITION OF audit_record FOR VALUES "
        "FROM ('ffff0000-0000-0000-0000-000000000000') TO (MAXVALUE)",
        "ALTER TABLE audit_record DETACH PARTITION odd; DROP TABLE odd",
        "partition public.odd is new",
    ),
    "a partition detached": Change(
        "ALTER TABLE audit_record DETACH PARTITION audit_record_{last}",
        "SELECT ledger_make_partitions(0)",
        "partition public.audit_record_{last} is gone",
        is_kept_apart=True,  # not undone here: attaching by hand leaves other names
    ),
    "a partition dropped": Change(
        "DROP TABLE audit_record_{last} CASCADE",
        "SELECT ledger_make_partitions(2)",
        "partition public.audit_record_{last} is gone",
        is_kept_apart=True,
    ),
    "a foreign table as a partition": Change(
        # A primary key forbids foreign partitions, so it has to go first.
        "CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER far FOREIGN DATA WRAPPER elsewhere; "
        "ALTER TABLE audit_record DROP CONSTRAINT audit_record_pkey CASCADE; "
        "CREATE FOREIGN TABLE odd PARTITION OF audit_record FOR VALUES "
        "FROM ('ffff0000-0000-0000-0000-000000000000') TO (MAXVALUE) SERVER far",
        "DROP FOREIGN DATA WRAPPER elsewhere CASCADE",
        "partition public.odd is new",
        is_kept_apart=True,  # not undone here: the keys that hung on the primary key are gone
    ),
    "a heir of a guarded table": Change(
        "CREATE TABLE heir () INHERITS (audit_tile)",
        "DROP TABLE heir",
        "heir public.heir is new",
    ),
    "a publication that copies the ledger away": Change(
        "CREATE PUBLICATION away FOR TABLE audit_user",
        "DROP PUBLICATION away",
        "publication away is new",
    ),
    "a cast that changes what is hashed": Change(
        "CREATE CAST (xid8 AS integer) WITH INOUT",
        "DROP CAST (xid8 AS integer)",
        "cast xid8 as integer is new",
    ),
    "a language outside the sandbox": Change(
        "ALTER LANGUAGE plpgsql OWNER TO twin_owner",
        "ALTER LANGUAGE plpgsql OWNER TO postgres",
        "language plpgsql has changed",
    ),
    "a function of PostgreSQL replaced": Change(
        "CREATE OR REPLACE FUNCTION pg_catalog.sha256(bytea) RETURNS bytea LANGUAGE sql "
        "IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'SELECT $1'",
        "CREATE OR REPLACE FUNCTION pg_catalog.sha256(bytea) RETURNS bytea LANGUAGE internal "
        "IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'sha256_bytea'",
        "functions of PostgreSQL pg_catalog has changed",
    ),
    "a database-wide switch to replica": Change(
        "ALTER DATABASE {database} SET session_replication_role = replica",
        "ALTER DATABASE {database} RESET session_replication_role",
        "role setting everybody in this database is new",
    ),
    "commits that do not wait for the disk": Change(
        "ALTER DATABASE {database} SET synchronous_commit = off",
        "ALTER DATABASE {database} RESET synchronous_commit",
        "role setting everybody in this database is new",
    ),
    "a role made mighty": Change(
        "ALTER ROLE twin_application SUPERUSER",
        "ALTER ROLE twin_application NOSUPERUSER",
        "role twin_application has changed",
        is_kept_apart=True,
    ),
    "a role made member of the owner": Change(
        "GRANT twin_owner TO twin_application",
        "REVOKE twin_owner FROM twin_application",
        "membership twin_application in twin_owner by postgres is new",
        is_kept_apart=True,
    ),
    "a time limit lifted": Change(
        "ALTER ROLE twin_gate SET transaction_timeout = 0",
        "ALTER ROLE twin_gate SET transaction_timeout = '60s'",
        "role setting twin_gate in every database has changed",
        is_kept_apart=True,
    ),
}


def written(text: str, **places: str) -> str:
    """Return a statement with the months and the database of this test."""
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", value)
    return text
