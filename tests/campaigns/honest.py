"""Honest records from many writers, and no false alarm: ``make honest``.

    python -m tests.campaigns.honest [--records 1000000] [--writers 16]

Writers append in processes of their own, several records a transaction, with random rollbacks,
savepoints released and rolled back, while a sealer seals. The ledger is verified meanwhile and at
the end, live and as an exported bundle by ``audit/verifier.py``. The last line is JSON.
"""

import argparse
import hashlib
import json
import os
import random
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SEED = 20_261_128
MOST_IN_ONE = 16  # records of one transaction
ROLLED_BACK, SAVED, UNSAVED = 0.10, 0.20, 0.10  # shares of transactions


class Taken(Exception):
    """Takes a transaction or savepoint back, on purpose."""


@dataclass(slots=True)
class Report:
    """What was written and what the verifiers said of it."""

    records: int = 0
    committed: int = 0  # as the writers count
    stored: int = 0
    differing: int = 0  # committed and not stored, or stored and taken back
    rollbacks: int = 0
    savepoints: int = 0
    blocks: int = 0
    verifications: int = 0  # while it was written
    false_alarms: int = 0
    write_s: float = 0.0
    verify_s: float = 0.0
    bundle_s: float = 0.0


@dataclass(slots=True)
class Tally:
    """What one writer did; ``sums`` adds up a digest of every mark that was committed."""

    committed: int = 0
    sums: int = 0
    rollbacks: int = 0
    savepoints: int = 0

    def add(self, marks: list[str]) -> None:
        self.committed += len(marks)
        self.sums = (self.sums + sum(map(digest, marks))) % 2**64


def digest(mark: str) -> int:
    return int.from_bytes(hashlib.sha256(mark.encode()).digest()[:8], "big")


def write(writer: int, count: int, said: Any) -> None:
    """Append at least ``count`` records in a forked process, and say what was committed."""
    from django.db import connections, transaction

    from tests.faults import clusters

    clusters.forget_connections()
    chance, tally, number = random.Random(f"{SEED} {writer}"), Tally(), 0
    while tally.committed < count:
        size = chance.randint(1, min(MOST_IN_ONE, count - tally.committed))
        kept: list[str] = []
        try:
            with transaction.atomic():
                kept += act(chance, f"{writer}-{number}", size, tally)
                if chance.random() < ROLLED_BACK:
                    raise Taken
            tally.add(kept)
        except Taken:
            tally.rollbacks += 1
        number += 1
    connections["default"].close()
    said.put(tally)


def act(chance: random.Random, name: str, size: int, tally: Tally) -> list[str]:
    """Append the records of one transaction; return the marks that its end will keep."""
    marks = [f"{name}-{place}" for place in range(size)]
    cut = chance.randint(0, size)
    kept = note(marks[:cut])
    how = chance.random()
    if how < UNSAVED:
        tally.savepoints += 1
        savepoint(marks[cut:], keep=False)
        return kept
    if how < UNSAVED + SAVED:
        tally.savepoints += 1
        return kept + savepoint(marks[cut:], keep=True)
    return kept + note(marks[cut:])


def note(marks: list[str]) -> list[str]:
    from audit import ledger

    for mark in marks:
        ledger.append(stream="faults", kind="tests.fact.noted", reason=mark)
    return marks


def savepoint(marks: list[str], *, keep: bool) -> list[str]:
    from django.db import transaction

    try:
        with transaction.atomic():
            note(marks)
            if not keep:
                raise Taken
    except Taken:
        return []
    return marks


def run(store: Any, *, records: int, writers: int) -> Report:
    """Write to a started store, verify all, and report."""
    from tests.faults import clusters

    report, answers, begun = Report(records=records), clusters.FORK.Queue(), time.monotonic()
    with store.as_role(), store.sealing():
        shares = [records // writers + (n < records % writers) for n in range(writers)]
        work = [
            clusters.FORK.Process(target=write, args=(n, share, answers))
            for n, share in enumerate(shares)
        ]
        for process in work:
            process.start()
        tallies = list(answered(store, answers, writers, report))
        for process in work:
            process.join()
    report.write_s = round(time.monotonic() - begun, 2)
    store.seal()
    compare(store, tallies, report)
    verify(store, report)
    return report


def answered(store: Any, answers: Any, writers: int, report: Report) -> Iterator[Tally]:
    """Yield the tally of each writer; verify the ledger while they write."""
    import queue

    left, pause = writers, 1.0
    while left:
        try:
            yield answers.get(timeout=pause)
            left -= 1
        except queue.Empty:
            result, pause = store.verify(), pause * 2  # each takes longer than the one before
            report.verifications += 1
            report.false_alarms += not result.ok


def compare(store: Any, tallies: list[Tally], report: Report) -> None:
    stored = store.told()
    report.stored, report.committed = len(stored), sum(tally.committed for tally in tallies)
    report.rollbacks = sum(tally.rollbacks for tally in tallies)
    report.savepoints = sum(tally.savepoints for tally in tallies)
    same = sum(map(digest, stored)) % 2**64 == sum(tally.sums for tally in tallies) % 2**64
    report.differing = abs(report.stored - report.committed) or int(not same)


def verify(store: Any, report: Report) -> None:
    """Verify live and as a bundle; count every alarm as a false one."""
    from django.conf import settings

    from audit import exports, verifier

    begun = time.monotonic()
    result = store.verify()
    report.verify_s, report.blocks = round(time.monotonic() - begun, 2), result.blocks
    report.false_alarms += not result.ok
    trust, folder = store.folder.path / "trusted.pub", store.folder.path / "bundle"
    trust.write_text(f"{store.public_key}\n")
    before, settings.LEDGER_PUBLIC_KEY_FILE = settings.LEDGER_PUBLIC_KEY_FILE, trust
    try:
        with store.as_role():
            exports.export(folder)
    finally:
        settings.LEDGER_PUBLIC_KEY_FILE = before
    begun = time.monotonic()
    found = verifier.verify(folder, trust)
    report.bundle_s = round(time.monotonic() - begun, 2)
    report.false_alarms += not found.ok
    shutil.rmtree(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description="Honest records from many writers: no alarm.")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--writers", type=int, default=16)
    given = parser.parse_args()
    os.environ.setdefault("TWIN_SECRET_KEY", secrets.token_urlsafe(48))
    os.environ.setdefault("TWIN_DATABASE_URL", "postgresql://nobody@/none")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "twin_core.config.settings")
    os.environ.setdefault("TWIN_PROCESS", "campaign")
    import django

    django.setup()
    from tests.faults import clusters

    store = clusters.Store(clusters.make_golden())
    store.server.settings += ["autovacuum=on", "max_wal_size=2GB", "fsync=off"]
    store.start()
    try:
        report = run(store, records=given.records, writers=given.writers)
    finally:
        store.discard()
    rate = report.committed / report.write_s
    print(f"{report.committed} records by {given.writers} writers, {rate:.0f} a second")
    print(json.dumps({"name": "ledger.honest", **asdict(report)}, sort_keys=True))
    return 0 if not report.false_alarms and not report.differing else 1


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    raise SystemExit(main())
