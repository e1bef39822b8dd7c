"""The questions to PostgreSQL's catalogue: every object that guards records, or could go round it.

Each question answers rows of (kind, table or empty, name, jsonb). Names are written out with their
schema: the caller empties ``search_path``. Objects of PostgreSQL itself are left out where they
came with it (below ``FIRST_OWN``, the first object id that a database gives out); a digest over
its functions shows whether one of them was replaced.
"""

import re

FIRST_OWN = 16384
# Settings that decide whether a commit is durable, a trigger fires or a damaged page is an error.
SETTINGS = (
    "allow_system_table_mods",
    "data_checksums",
    "event_triggers",
    "fsync",
    "full_page_writes",
    "ignore_checksum_failure",
    "ignore_system_indexes",
    "jit_provider",
    "local_preload_libraries",
    "lo_compat_privileges",
    "max_prepared_transactions",
    "password_encryption",
    "server_encoding",
    "session_preload_libraries",
    "session_replication_role",
    "shared_preload_libraries",
    "synchronous_commit",
    "wal_level",
    "wal_log_hints",
    "zero_damaged_pages",
)
_SHORT = {  # written in capitals in the questions below
    "OURS": "(n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')",
    "TABLE_NAME": "format('%%I.%%I', n.nspname, c.relname)",
    "ITS_SCHEMA": "JOIN pg_namespace n ON n.oid = c.relnamespace",
    "RELATION_SORT": """(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char\"""",
    "FIRST_OWN": str(FIRST_OWN),
}


def _whole(text: str) -> str:
    """Return a question with its shorthands written out.

    GRANTS(list, sort, owner) is a list of grants, sorted; one that was never touched says what it
    stands for, so that a right granted and taken back leaves no difference.
    """
    text = re.sub(
        r"GRANTS\(([a-z.]+), (.+?), ([a-z.]+)\)",
        r"(SELECT jsonb_agg(a::text ORDER BY a::text) "
        r"FROM unnest(coalesce(\1, acldefault(\2, \3))) a)",
        text,
    )
    for short, long in _SHORT.items():
        text = text.replace(short, long)
    return text


SETTING = """
SELECT 'setting', '', name, to_jsonb(reset_val) FROM pg_settings WHERE name = ANY(%(settings)s)
"""
# Roles that can sign in to this database as ours, or that could lift a guard.
ROLE = """
WITH mighty AS (
    SELECT oid FROM pg_roles
    WHERE rolname ~ '^twin_' OR rolsuper OR rolreplication OR rolbypassrls OR rolcreaterole)
SELECT 'role', '', r.rolname, jsonb_build_object(
    'superuser', rolsuper, 'inherit', rolinherit, 'createrole', rolcreaterole,
    'createdb', rolcreatedb, 'login', rolcanlogin, 'replication', rolreplication,
    'bypassrls', rolbypassrls, 'limit', rolconnlimit, 'until', rolvaliduntil)
FROM pg_roles r WHERE r.oid IN (SELECT oid FROM mighty)
UNION ALL
SELECT 'membership', '', format('%%s in %%s by %%s', m.rolname, g.rolname, b.rolname),
    jsonb_build_object('admin', a.admin_option, 'inherit', a.inherit_option, 'set', a.set_option)
FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
JOIN pg_roles b ON b.oid = a.grantor
WHERE (g.oid IN (SELECT oid FROM mighty) OR m.oid IN (SELECT oid FROM mighty)
    OR g.rolname ~ '^pg_') AND m.rolname !~ '^pg_'
UNION ALL
SELECT 'role setting', '',
    format('%%s in %%s', coalesce(r.rolname, 'everybody'),
        CASE WHEN s.setdatabase = 0 THEN 'every database' ELSE 'this database' END),
    (SELECT jsonb_agg(c ORDER BY c) FROM unnest(s.setconfig) c)
FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND (s.setrole = 0 OR r.oid IN (SELECT oid FROM mighty))
"""
DATABASE = """
SELECT 'database', '', 'this database', jsonb_build_object(
    'owner', pg_get_userbyid(datdba), 'grants', GRANTS(datacl, 'd', datdba),
    'encoding', pg_encoding_to_char(encoding), 'collation', datcollate, 'template', datistemplate)
FROM pg_database WHERE datname = current_database()
UNION ALL
SELECT 'schema', '', n.nspname, jsonb_build_object(
    'owner', pg_get_userbyid(nspowner), 'grants', GRANTS(nspacl, 'n', nspowner))
FROM pg_namespace n WHERE OURS
UNION ALL
SELECT 'default grants', '', format('%%s %%s %%s', pg_get_userbyid(defaclrole),
    coalesce(n.nspname, 'every schema'), defaclobjtype), GRANTS(defaclacl, 'r', defaclrole)
FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
"""
TABLE = """
SELECT 'table', TABLE_NAME, '', jsonb_build_object(
    'sort', c.relkind, 'persistence', c.relpersistence, 'owner', pg_get_userbyid(c.relowner),
    'grants', GRANTS(c.relacl, RELATION_SORT, c.relowner),
    'row security', c.relrowsecurity OR c.relforcerowsecurity,
    'options', c.reloptions, 'replica identity', c.relreplident,
    'key', CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
    'method', (SELECT amname FROM pg_am WHERE pg_am.oid = c.relam))
FROM pg_class c ITS_SCHEMA
WHERE OURS AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
UNION ALL
SELECT 'heir', TABLE_NAME, '', jsonb_build_object(
    'of', format('%%I.%%I', pn.nspname, p.relname), 'leaving', i.inhdetachpending,
    'bound', pg_get_expr(c.relpartbound, c.oid))
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid ITS_SCHEMA
JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE OURS AND c.relkind IN ('r', 'p', 'f')
"""
COLUMN = """
SELECT 'column', TABLE_NAME, a.attname, jsonb_build_object(
    'type', format_type(a.atttypid, a.atttypmod), 'not null', a.attnotnull,
    'collation', (SELECT collname FROM pg_collation WHERE pg_collation.oid = a.attcollation),
    'default', pg_get_expr(d.adbin, d.adrelid), 'generated', a.attgenerated,
    'identity', a.attidentity, 'grants', GRANTS(a.attacl, 'c', c.relowner))
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
ITS_SCHEMA
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE OURS AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
"""
# A constraint that follows from one of a parent or of another table says nothing of its own; its
# text is not even stable: PostgreSQL prints one and the same check differently in a table that was
# a partition before the check was made and in one that became a partition later.
CONSTRAINT = """
SELECT 'constraint', TABLE_NAME, con.conname, jsonb_build_object(
    'says', CASE WHEN con.coninhcount > 0 THEN 'what it inherits'
        ELSE pg_get_constraintdef(con.oid) END,
    'checked', con.coninhcount > 0 OR con.convalidated, 'enforced', con.conenforced)
FROM pg_constraint con JOIN pg_class c ON c.oid = con.conrelid
ITS_SCHEMA
WHERE OURS AND con.conparentid = 0
UNION ALL
SELECT 'index', TABLE_NAME, i.relname, jsonb_build_object(
    'says', pg_get_indexdef(i.oid), 'valid', x.indisvalid AND x.indisready AND x.indislive)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
ITS_SCHEMA
WHERE OURS
UNION ALL
SELECT 'sequence', '', s.seqrelid::regclass::text, to_jsonb(s) - 'seqrelid' - 'seqtypid'
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid ITS_SCHEMA
WHERE OURS
"""
TRIGGER = """
SELECT 'trigger', TABLE_NAME, t.tgname, jsonb_build_object(
    'says', pg_get_triggerdef(t.oid), 'fires', t.tgenabled)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid ITS_SCHEMA
WHERE OURS AND NOT t.tgisinternal
UNION ALL
SELECT 'triggers of foreign keys', TABLE_NAME, p.proname || ' ' || t.tgenabled::text,
    to_jsonb(count(*))
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid ITS_SCHEMA
JOIN pg_proc p ON p.oid = t.tgfoid
WHERE OURS AND t.tgisinternal AND t.tgparentid = 0
    AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = t.tgconstrrelid)
GROUP BY n.nspname, c.relname, p.proname, t.tgenabled
UNION ALL
SELECT 'event trigger', '', evtname, jsonb_build_object(
    'event', evtevent, 'fires', evtenabled, 'tags', evttags, 'owner', pg_get_userbyid(evtowner),
    'calls', evtfoid::regprocedure::text)
FROM pg_event_trigger
"""
RULE = """
SELECT 'rule', TABLE_NAME, r.rulename, jsonb_build_object(
    'says', pg_get_ruledef(r.oid), 'fires', r.ev_enabled)
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class ITS_SCHEMA
WHERE OURS
UNION ALL
SELECT 'policy', TABLE_NAME, p.polname, to_jsonb(p) - 'oid' - 'polrelid'
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid ITS_SCHEMA
WHERE OURS
UNION ALL
SELECT 'label', coalesce(TABLE_NAME, ''), l.objtype || ' ' || l.objname || ' ' || l.provider,
    to_jsonb(l.label)
FROM pg_seclabels l LEFT JOIN pg_class c ON c.oid = l.objoid AND l.classoid = 'pg_class'::regclass
LEFT ITS_SCHEMA
"""
FUNCTION = """
SELECT 'function', '', p.oid::regprocedure::text, jsonb_build_object(
    'owner', pg_get_userbyid(p.proowner), 'grants', GRANTS(p.proacl, 'f', p.proowner),
    'source', p.prosrc,
    'body', pg_get_function_sqlbody(p.oid), 'library', p.probin, 'language', l.lanname,
    'definer', p.prosecdef, 'settings', p.proconfig, 'volatile', p.provolatile,
    'strict', p.proisstrict, 'leakproof', p.proleakproof, 'sort', p.prokind,
    'returns', format_type(p.prorettype, NULL))
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE OURS OR (p.oid >= FIRST_OWN AND n.nspname !~ '^pg_temp')
UNION ALL
SELECT 'functions of PostgreSQL', '', n.nspname, to_jsonb(encode(sha256(convert_to(
    string_agg(concat_ws('|', p.oid, p.proname, p.prosrc, p.probin, p.prosecdef, p.proconfig,
        p.proowner, p.proacl, p.prolang, p.provolatile), chr(10) ORDER BY p.oid), 'UTF8')), 'hex'))
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid < FIRST_OWN AND n.nspname IN ('pg_catalog', 'information_schema') GROUP BY n.nspname
"""
ROUND = """
SELECT 'publication', '', pubname, to_jsonb(p) - 'oid' - 'pubowner'
    || jsonb_build_object('owner', pg_get_userbyid(pubowner), 'tables', (
        SELECT jsonb_agg(r.prrelid::regclass::text ORDER BY r.prrelid::regclass::text)
        FROM pg_publication_rel r WHERE r.prpubid = p.oid))
FROM pg_publication p
UNION ALL
SELECT 'subscription', '', subname, jsonb_build_object(
    'enabled', subenabled, 'owner', pg_get_userbyid(subowner), 'publications', subpublications)
FROM pg_subscription
WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL
SELECT 'extension', '', extname, to_jsonb(extversion) FROM pg_extension
UNION ALL
SELECT 'foreign server', '', srvname, jsonb_build_object(
    'owner', pg_get_userbyid(srvowner), 'grants', GRANTS(srvacl, 'S', srvowner), 'wrapper', fdwname)
FROM pg_foreign_server JOIN pg_foreign_data_wrapper f ON f.oid = srvfdw
UNION ALL
SELECT 'foreign data wrapper', '', fdwname, GRANTS(fdwacl, 'F', fdwowner)
FROM pg_foreign_data_wrapper
UNION ALL
SELECT 'language', '', lanname, jsonb_build_object(
    'owner', pg_get_userbyid(lanowner), 'trusted', lanpltrusted,
    'grants', GRANTS(lanacl, 'l', lanowner))
FROM pg_language
UNION ALL
SELECT 'cast', '',
    format('%%s as %%s', format_type(castsource, NULL), format_type(casttarget, NULL)),
    jsonb_build_object('by', castfunc::regprocedure::text, 'when', castcontext)
FROM pg_cast WHERE oid >= FIRST_OWN
UNION ALL
SELECT 'operator', '', o.oid::regoperator::text, to_jsonb(o.oprcode::text)
FROM pg_operator o WHERE o.oid >= FIRST_OWN
UNION ALL
SELECT 'type', '', format('%%I.%%I', n.nspname, t.typname), jsonb_build_object(
    'sort', t.typtype, 'owner', pg_get_userbyid(t.typowner),
    'grants', GRANTS(t.typacl, 'T', t.typowner),
    'base', CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
    'checks', (SELECT jsonb_agg(pg_get_constraintdef(k.oid) ORDER BY k.conname)
        FROM pg_constraint k WHERE k.contypid = t.oid))
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE OURS AND t.typtype IN ('d', 'e', 'r', 'm')
"""
QUESTIONS = tuple(
    map(
        _whole,
        (SETTING, ROLE, DATABASE, TABLE, COLUMN, CONSTRAINT, TRIGGER, RULE, FUNCTION, ROUND),
    )
)
