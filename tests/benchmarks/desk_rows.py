"""Rows for the trail's index, made in the database: skewed as a site's records are.

Forty people and processes (the first ten do half of it), sixty kinds, one stream a batch, a
reason on every eighth row, a title and eight words of a vocabulary of five thousand. Three words
stand for what is looked for: ``benchcommon`` on every third row, ``benchold`` on each row of the
oldest tenth, ``benchrare`` on twenty rows.
"""

from typing import Any

FILL = """
INSERT INTO audit_searchrow (sequence, record_id, recorded_at, kind, stream, actor_id, actor_kind,
    reason, about, words)
SELECT n, lpad(to_hex(n), 32, '0')::uuid, timestamptz '2026-01-01' + n * interval '3 seconds',
    kind, stream, actor, 'person', reason,
    ARRAY['actor ' || actor, 'family batch', 'kind ' || kind, 'stream ' || stream,
        'subject bench.pump ' || subject, 'type bench.pump', 'id ' || subject],
    kind || E'\\n' || translate(kind, '._', '  ') || E'\\nperson number ' || actor_number
        || coalesce(E'\\n' || reason, '') || E'\\n' || stream || E'\\nentry ' || n || E'\\n'
        || said || CASE WHEN n %% 3 = 0 THEN E'\\nbenchcommon' ELSE '' END
        || CASE WHEN n < %(records)s / 10 THEN E'\\nbenchold' ELSE '' END
        || CASE WHEN n %% (%(records)s / 20) = 7 THEN E'\\nbenchrare' ELSE '' END
FROM generate_series(%(start)s::bigint, %(end)s::bigint - 1) AS n
CROSS JOIN LATERAL (SELECT abs(hashint8(n)) AS h, abs(hashint8(n + 7777777777)) AS g) AS hashed
CROSS JOIN LATERAL (SELECT
    CASE WHEN h %% 2 = 0 THEN g %% 10 ELSE g %% 40 END AS actor_number,
    'bench.thing_' || (least(h %% 60, g %% 60)) || '.changed' AS kind,
    'batch/b-' || lpad((n * 300 / %(records)s + h %% 3)::text, 4, '0') AS stream,
    CASE WHEN h %% 8 = 0 THEN 'reason of sort ' || (g %% 200) || ' because' END AS reason,
    'pump-' || (g %% (%(records)s / 50)) AS subject,
    (SELECT string_agg('w' || to_hex(abs(hashint8(n * 8 + word)) %% 5000 + 100000) || 'x', ' ')
        FROM generate_series(1, 8) AS word) AS said) AS chosen
CROSS JOIN LATERAL (SELECT '0190a000-0000-7000-8000-' || lpad(actor_number::text, 12, '0')
    AS actor) AS named
"""
BUCKETS = """
INSERT INTO audit_searchbucket
SELECT bucket, count(*), min(recorded_at), max(recorded_at), max(sequence), '3',
    lpad(to_hex(max(sequence)), 32, '0')::uuid
FROM audit_searchrow GROUP BY bucket
"""
STEP = 500_000


def fill(owner: Any, records: int, said: Any = print) -> None:
    """Fill an empty index with ``records`` rows over a superuser's connection, then index them."""
    owner.autocommit = True
    found = owner.execute(
        "SELECT indexdef FROM pg_indexes WHERE indexname = 'audit_searchrow_found'"
    ).fetchone()
    owner.execute("DROP INDEX audit_searchrow_found")
    for start in range(0, records, STEP):
        end = min(start + STEP, records)
        owner.execute(FILL, {"start": start, "end": end, "records": records})
        said(f"{end} rows")
    owner.execute("SET maintenance_work_mem = '1GB'")
    owner.execute(found[0])
    said("indexed")
    owner.execute(BUCKETS)
    owner.execute("INSERT INTO audit_searchkind SELECT DISTINCT kind FROM audit_searchrow")
    owner.execute("VACUUM ANALYZE audit_searchrow")
    owner.execute("VACUUM ANALYZE audit_searchbucket")
