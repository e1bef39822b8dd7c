"""Appending and audited changes: the product beside raw PostgreSQL and beside the Django rivals."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connection

from tests.benchmarks.rounds import Goal, Measure, Rounds, Row, made
from tests.benchmarks.site import Site, manage
from tests.services import django_on
from twin_core.config.environment import database_settings

RAW = """
CREATE TABLE raw_record (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload text NOT NULL);
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO twin_application;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO twin_application;
"""
SEALED = {"append", "append_many", "regulated_1", "regulated_10", "act_1", "act_10"}
LAG = """
SELECT extract(epoch FROM percentile_cont(0.99) WITHIN GROUP (
    ORDER BY (b.header::jsonb ->> 'sealed_at')::timestamptz - r.recorded_at))
FROM audit_block b JOIN audit_record r
  ON r.transaction >= b.transaction_from AND r.transaction < b.transaction_below
WHERE r.kind = 'twin_core.recommendation.approved'
"""
SIZES = """
SELECT (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('audit_record'))
     + pg_total_relation_size('audit_block') + pg_total_relation_size('audit_tile'),
    pg_total_relation_size('raw_record')
"""


def template(site: Site) -> str:
    """Make the database that each measurement gets a fresh copy of; return its name."""
    from audit.operations import Regulated
    from tests.benchmarks.rivals.models import RegulatedOrder

    name = site.services.clone("twin_benchmark")
    login = database_settings("admin", site.services.admin_url())
    with django_on(name, **{key: login[key] for key in ("USER", "PASSWORD", "HOST", "PORT")}):
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE twin_owner")
        call_command("migrate", run_syncdb=True, verbosity=0)
        call_command("pgtrigger", "install", verbosity=0)
        with connection.cursor() as cursor:
            for statement in (*Regulated("regulatedorder").forwards(RegulatedOrder), RAW):
                cursor.execute(statement)
    return name


class Writing:
    """The measurements of writing, on fresh copies of one template."""

    def __init__(self, site: Site, *, acts: int) -> None:
        self.site, self.acts, self.template = site, acts, template(site)
        self.verified: dict[str, int] = {}  # records that verify_ledger found honest, by variant
        self.bytes: list[float] = []

    @contextmanager
    def copy(self) -> Iterator[str]:
        name = self.site.services.clone(template=self.template)
        try:
            yield name
        finally:
            self.site.services.drop(name)

    def measure(self, variant: str, writers: int) -> Measure:
        """Return what writes ``acts`` acts by that many processes, then verifies the chain."""
        count = max(20, self.acts // (writers if writers > 1 else 3) // 20 * 20)
        sealed = variant in SEALED

        def run() -> dict[str, float]:
            with self.copy() as name:
                if not sealed:
                    return self.site.write(
                        variant, name, writers=writers, count=count, sealed=False
                    )
                with self.site.sealing(name):
                    told = self.site.write(variant, name, writers=writers, count=count, sealed=True)
                self.verify(variant, name)
                return told

        return run

    def verify(self, variant: str, name: str) -> None:
        out = manage(self.site, name, "verify_ledger", role="auditor")
        with self.site.services.connect("auditor", name) as session:
            [count] = session.execute("SELECT count(*) FROM audit_record").fetchone() or (0,)
        assert f"{count} records" in out, out
        self.verified[variant] = self.verified.get(variant, 0) + count

    def lag(self) -> dict[str, float]:
        """Write 1,000 records a second by 8 processes; return the seal lag's 99th percentile."""
        with self.copy() as name, self.site.sealing(name):
            self.site.write("paced", name, writers=8, count=max(50, self.acts // 8), sealed=True)
            with self.site.services.connect("superuser", name) as session:
                [late] = session.execute(LAG).fetchone() or (0.0,)
        return {"p99": float(late) * 1000}

    def stored(self) -> dict[str, float]:
        """Return bytes a record takes beside a raw row, after the same acts."""
        with self.copy() as name:
            with self.site.sealing(name):
                self.site.write("append", name, writers=2, count=self.acts // 4, sealed=True)
                self.site.write("raw", name, writers=2, count=self.acts // 4, sealed=False)
            with self.site.services.connect("superuser", name) as session:
                ours, raw = session.execute(SIZES).fetchone() or (0, 1)
        acts = self.acts // 4 * 2
        return {"ours": float(ours) / acts, "raw": float(raw) / acts}


def rows(site: Site, *, acts: int, rounds: int, only: str = "") -> list[Row]:
    """Measure everything that writes and return the table's rows."""
    writing = Writing(site, acts=acts)
    wanted = {
        f"{variant} x{writers}": writing.measure(variant, writers)
        for variant, counts in VARIANTS.items()
        for writers in counts
        if only in variant
    }
    seen = Rounds()
    seen.run(wanted, rounds)
    compared = [
        seen.row(f"{what} x{n}", f"{against} x{n}", by=by, goal=goal)
        for what, against, n, by, goal in COMPARED
        if f"{what} x{n}" in wanted and f"{against} x{n}" in wanted
    ]
    if only:
        return compared
    late = [writing.lag()["p99"] for _ in range(rounds)]
    sizes = [writing.stored() for _ in range(max(1, rounds // 2))]
    checked = ", ".join(f"{name} {count:,}" for name, count in writing.verified.items())
    print(f"chains verified after their runs, records: {checked}")
    return [
        *compared,
        made("seal lag p99 at 1,000 records/s", "ms", late, goal=Goal(100, at_least=False)),
        made(
            "bytes of a record, its share of blocks and tiles",
            "bytes of a raw row",
            [each["ours"] / each["raw"] for each in sizes],
        ),
    ]


VARIANTS = {
    "raw": (1, 8),
    "append": (1, 8),
    "plain_1": (8,),
    "pghistory_1": (1, 8),
    "auditlog_1": (8,),
    "simple_history_1": (8,),
    "regulated_1": (8,),
    "act_1": (1, 8),
    "pghistory_10": (8,),
    "act_10": (8,),
    "raw_copy": (8,),
    "append_many": (8,),
}
COMPARED = (
    ("append", "raw", 8, "rate", Goal(0.90)),
    ("append", "raw", 1, "rate", Goal(0.75)),
    ("act_1", "pghistory_1", 8, "rate", Goal(0.95)),
    ("act_1", "auditlog_1", 8, "rate", Goal(1.5)),
    ("act_1", "simple_history_1", 8, "rate", Goal(2.0)),
    ("act_10", "pghistory_10", 8, "rate", Goal(1.5)),
    ("act_1", "pghistory_1", 1, "rate", None),
    ("regulated_1", "pghistory_1", 8, "rate", None),
    ("act_1", "plain_1", 8, "rate", None),
    ("append_many", "raw_copy", 8, "rate", None),
)
