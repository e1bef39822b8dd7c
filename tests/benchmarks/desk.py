"""``make bench PART=desk``: how long a question to the trail takes, at ten million records.

    python -m tests.benchmarks.desk [--records N] [--rounds N] [--plans FILE]

The rows are made in the database (see ``desk_rows``); what is timed is the product's search as
the page asks it, page and count, over a connection of the application's role. Questions are asked
in turn, round after round. Prints one JSON line a question, in milliseconds; 300 is the goal.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

GOAL = 300.0  # ms
PERSON = "0190a000-0000-7000-8000-000000000003"
PAGE = 50


def questions(records: int) -> dict[str, dict[str, Any]]:
    """Return name -> filters, after what ``desk_rows`` has put there."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    whole = timedelta(seconds=3 * records)
    day = {"since": start + whole / 2, "until": start + whole / 2 + timedelta(days=1)}
    old = {"until": start + whole / 20}
    return {
        "newest": {},
        "person": {"person": PERSON},
        "person.absent": {"person": "nobody"},
        "subject": {"subject_type": "bench.pump", "subject": "pump-17"},
        "kind": {"kind": "bench.thing_7.changed"},
        "kind.rare": {"kind": "bench.thing_59.changed"},
        "kind.beginning": {"kind": "bench.thing_1"},
        "time.day": day,
        "time.old": old,
        "stream.oldest": {"stream": "batch/b-0003"},
        "reason": {"reason": "sort 17 because"},
        "reason.absent": {"reason": "never given"},
        "text.common": {"text": "benchcommon"},
        "text.common_only_in_old": {"text": "benchold"},
        "text.rare": {"text": "benchrare"},
        "text.absent": {"text": "benchabsent"},
        "text.phrase": {"text": '"person number 7"'},
        "text.two_common_words": {"text": "benchcommon benchold"},
        "combined": {"person": PERSON, "kind": "bench.thing_7.changed", "text": "benchcommon"},
        "combined.rare": {"person": PERSON, "stream": "batch/b-0003", "text": "benchcommon", **old},
        "combined.disjoint": {"stream": "batch/b-0290", "text": "benchold"},
    }


@contextmanager
def filled(records: int) -> Iterator[Any]:
    """Yield a connection to a database whose index holds ``records`` made-up rows."""
    from tests.services import SESSION, TestServices

    services = TestServices()
    os.environ.update(services.environment(SESSION), TWIN_PROCESS="benchmark")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "twin_core.config.settings")
    import django

    django.setup()
    from tests.benchmarks import desk_rows
    from tests.services import django_on

    with services.running():
        name = services.clone()
        with services.connect("superuser", name) as owner:
            desk_rows.fill(owner, records, lambda said: print(f"# {said}", flush=True))
        with django_on(name):
            yield name
        services.drop(name)


def asked(filters: dict[str, Any]) -> tuple[float, float, int, str]:
    """Return (ms for the page, ms for the count, hits, count) of one question."""
    from audit.desk.search import Search
    from audit.trail import Filters

    began = time.perf_counter()
    search = Search(Filters(**filters))
    page = search.page(PAGE)
    paged = time.perf_counter()
    count = search.count()
    ended = time.perf_counter()
    return (paged - began) * 1e3, (ended - paged) * 1e3, len(page.hits), str(count)


def measure(records: int, rounds: int) -> Iterator[dict[str, Any]]:
    """Yield one result a question; the first round warms nothing up: it counts as any other."""
    took: dict[str, list[tuple[float, float, int, str]]] = {}
    for _ in range(rounds):
        for name, filters in questions(records).items():
            took.setdefault(name, []).append(asked(filters))
    for name, runs in took.items():
        pages, whole = [run[0] for run in runs], [run[0] + run[1] for run in runs]
        yield {
            "name": f"desk.search.{name}",
            "records": records,
            "unit": "ms",
            "value": round(_p95(pages), 1),
            "p50": round(statistics.median(pages), 1),
            "with_count_p50": round(statistics.median(whole), 1),
            "with_count_p95": round(_p95(whole), 1),
            "hits": runs[0][2],
            "count": runs[0][3],
            "goal": GOAL,
            "ratio": round(GOAL / _p95(pages), 2),
        }


def _p95(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.95))]


def plans(records: int) -> Iterator[str]:
    """Yield the plan of every statement that the questions lead to."""
    from django.db import connection

    for name, filters in questions(records).items():
        yield f"== {name} {filters}"
        said: list[tuple[str, Any]] = []

        def note(run: Any, sql: str, values: Any, many: bool, context: Any) -> Any:
            said.append((sql, values))  # noqa: B023  read inside the same turn
            return run(sql, values, many, context)

        with connection.execute_wrapper(note):
            asked(filters)
        with connection.cursor() as cursor:
            for sql, values in said:
                cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF) {sql}", values)
                yield "\n".join(line for (line,) in cursor.fetchall())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the arguments say, by default those of the command."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--records", type=int, default=10_000_000)
    reader.add_argument("--rounds", type=int, default=20)
    reader.add_argument("--plans", type=Path, help="file to write the plans to")
    given = reader.parse_args(arguments)
    with filled(given.records):
        for line in measure(given.records, given.rounds):
            print(json.dumps(line), flush=True)
        if given.plans:
            given.plans.write_text("\n".join(plans(given.records)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
