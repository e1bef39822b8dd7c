"""Verifying and exporting: the product beside bare SHA-256 and beside a loop over rows."""

import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import exports
from tests.benchmarks.rounds import Goal, Row, made
from tests.benchmarks.site import ROOT, Site, manage
from tests.services import django_on

BARE = """
import hashlib, sys
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        hashlib.file_digest(file, "sha256").hexdigest()
"""
EXPORTED = {  # lines of the exports' own benchmark: what they measure, and against what
    "ledger.export.jsonl": ("bundle exported as JSONL with index", "loop over rows, json.dumps"),
    "ledger.export.parquet": ("Parquet copy made", "80,000 rows/s"),
    "ledger.export.parquet.size": ("0.10 of JSONL's size", "size of the Parquet copy"),
}
HASHED = ("records.jsonl", "index.jsonl", "blocks.jsonl")  # what the verifier has to read


def rows(site: Site, *, records: int, rounds: int, place: Path) -> list[Row]:
    """Fill a ledger, export it, and check the export and the ledger; return the table's rows."""
    name = site.services.clone()
    try:
        with site.sealing(name):
            site.write("append_many", name, writers=2, count=records // 2, sealed=True)
        with django_on(name):
            exported = exports.measure(place, rounds=rounds)
        bundle = place / "bundle"
        manage(site, name, "export_ledger", "--out", str(bundle))
        live = [_live(site, name) for _ in range(rounds)]
        return [*map(_exported, exported), *_offline(bundle, rounds), _live_row(live)]
    finally:
        site.services.drop(name)


def _exported(line: dict[str, Any]) -> Row:
    """Return a line of the exports' own benchmark as a row; sizes are told as they are."""
    ratio, (least, most), goal = line["ratio"], line["spread"], line["goal"]
    what, against = EXPORTED[line["name"]]
    return Row(what, against, ratio, least, most, line["rounds"], Goal(goal))


def _offline(bundle: Path, rounds: int) -> list[Row]:
    """Time the one-file verifier beside bare SHA-256 of the same files, in turns."""
    verifier = str(ROOT / "audit" / "verifier.py")
    quick, whole, processor = [], [], []
    count = sum(1 for _ in (bundle / "records.jsonl").open("rb"))
    for number in range(rounds):
        files = [str(bundle / file) for file in HASHED]
        timings: dict[str, tuple[float, float]] = {}
        works: dict[str, list[str]] = {
            "bare": [sys.executable, "-c", BARE, *files],
            "quick": [sys.executable, verifier, str(bundle), "--quick"],
            "whole": [sys.executable, verifier, str(bundle)],
        }
        for name in sorted(works, reverse=number % 2 == 1):
            timings[name] = _timed(works[name])
        quick.append(timings["bare"][0] / timings["quick"][0])
        whole.append(timings["bare"][0] / timings["whole"][0])
        processor.append(timings["whole"][1] / count * 1e6)
    return [
        made("bundle verified by its digests (--quick)", "bare SHA-256", quick, goal=Goal(0.9)),
        made("bundle verified in full, each text judged", "bare SHA-256", whole),
        made("bundle verified in full", "CPU s per 1e6 records", processor),
    ]


def _timed(command: list[str]) -> tuple[float, float]:
    """Return wall and CPU seconds of a command that must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _live(site: Site, name: str) -> float:
    """Return CPU seconds, of the command and the server, to verify the live ledger per 1e6."""
    with site.services.connect("auditor", name) as session:
        [count] = session.execute("SELECT count(*) FROM audit_record").fetchone() or (1,)
    server, before = site.server_seconds(), resource.getrusage(resource.RUSAGE_CHILDREN)
    manage(site, name, "verify_ledger", role="auditor")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    client = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (client + site.server_seconds() - server) / count * 1e6


def _live_row(seconds: list[float]) -> Row:
    goal = Goal(4, at_least=False)
    return made("live ledger verified", "CPU s per 1e6 records, server's too", seconds, goal=goal)
