"""How fast the ledger is exported, beside a loop over rows; the bundle is verified after the run.

    python -m tests.benchmarks.exports --records 200000 --rounds 3 [--block 10]

``measure`` does the work on the database that Django is connected to; the ledger there is sealed.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

MEMBERS = ("id", "stream", "kind", "payload", "leaf", "transaction", "recorded_at")
START = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = ("Ada Imhof", "Noa Keller", "Mira Sutter", "Jan Brunner", "Lea Frei")


def row_loop(path: Path) -> int:
    """Write each record as JSON from its row, as is usual; return how many."""
    from audit.models import Record

    count = 0
    with path.open("w", encoding="utf-8") as file:
        for record in Record.objects.order_by("transaction", "id").iterator(chunk_size=2000):
            told: dict[str, Any] = {name: getattr(record, name) for name in MEMBERS}
            told["leaf"] = bytes(record.leaf).hex()
            told["payload"] = json.loads(record.payload)
            file.write(json.dumps(told, default=str) + "\n")
            count += 1
    return count


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(place: Path, *, rounds: int = 3) -> list[dict[str, Any]]:
    """Return benchmark lines: JSONL against the row loop, and the Parquet copy's speed and size.

    Rounds are interleaved; the first bundle is verified. ``place`` is an empty folder that may
    grow to twice the ledger.
    """
    seen: dict[str, list[float]] = {"loop": [], "jsonl": [], "parquet": [], "size": []}
    for number in range(rounds):
        _round(place, seen, is_first=number == 0)
    ratios = [slow / quick for slow, quick in zip(seen["loop"], seen["jsonl"], strict=True)]
    rates = [rate / 80_000 for rate in seen["parquet"]]
    sizes = [0.10 / size for size in seen["size"]]
    loop, jsonl = statistics.median(seen["loop"]), statistics.median(seen["jsonl"])
    size = statistics.median(seen["size"])
    parquet = statistics.median(seen["parquet"])
    return [
        _line("ledger.export.jsonl", "s", (jsonl, loop), ratios, 10),
        _line("ledger.export.parquet", "records/s", (parquet, 80_000), rates, 1),
        _line("ledger.export.parquet.size", "of JSONL", (size, 0.10), sizes, 1),
    ]


def _round(place: Path, seen: dict[str, list[float]], *, is_first: bool) -> None:
    from audit import exports

    bundle = place / "bundle"
    seen["loop"].append(timed(lambda: row_loop(place / "rows.jsonl")))
    seen["jsonl"].append(timed(lambda: exports.export(bundle)))
    if is_first:
        _check(bundle)
    records = sum(1 for _ in (bundle / "records.jsonl").open("rb"))
    seen["parquet"].append(records / _parquet(bundle))
    copied = (bundle / "copies" / "records-0001.parquet").stat().st_size
    seen["size"].append(copied / (bundle / "records.jsonl").stat().st_size)
    shutil.rmtree(bundle)


def _parquet(bundle: Path) -> float:
    """Return the seconds that the Parquet copy of a finished bundle takes."""
    from audit.exports.copies import lines, parquet

    records = sum(1 for _ in (bundle / "records.jsonl").open("rb"))
    target = bundle / "copies" / "records-0001.parquet"
    target.parent.mkdir()
    with target.open("wb") as file:
        return timed(lambda: parquet.write_volume(file, lines.read(bundle, stop=records)))


def _check(bundle: Path) -> None:
    from audit import verifier

    result = verifier.verify(bundle)
    if not result.ok:
        raise SystemExit(f"the bundle does not verify: {result.text}")


def _line(
    name: str, unit: str, values: tuple[float, float], ratios: list[float], goal: float
) -> dict[str, Any]:
    value, baseline = values
    return {
        "name": name,
        "value": round(value, 4),
        "unit": unit,
        "baseline": round(baseline, 4),
        "ratio": round(statistics.median(ratios), 2),
        "rounds": len(ratios),
        "spread": [round(min(ratios), 2), round(max(ratios), 2)],
        "goal": goal,
    }


def fill(start: int, stop: int) -> None:
    """Append the made-up records start <= number < stop in one transaction."""
    from django.db import transaction

    with transaction.atomic():
        for number in range(start, stop):
            _append(number)


def _append(number: int) -> None:
    """One record as the twin writes them: samples, forecasts with bands, decisions of people."""
    from audit import canonical, ledger
    from audit.actors import Actor

    name = PEOPLE[number % len(PEOPLE)]
    person = Actor("person", f"0190b6a0-7b1e-7000-8000-0000000000{number % 5:02}", name)
    process = Actor("process", "connector", "connector")
    is_act = number % 4 == 0
    ledger.append(
        stream=f"batch/BR-201-{number // 5000:04}",
        kind="twin_core.setpoint.changed" if is_act else "twin_core.sample.recorded",
        actor=person if is_act else process,
        subject={"type": "twin_core.tag", "id": f"BR-201/{('glucose', 'ph', 'titer')[number % 3]}"},
        old={"state": "stored", "value": canonical.number(5 + number % 60 / 10, "mM")},
        new={"state": "stored", "value": canonical.number(5 + number % 61 / 10, "mM")},
        reason="feed rate follows the forecast of the evening" if is_act else None,
        occurred_at=START + timedelta(seconds=number),
        data={"quality": "good", "delay": canonical.number(number % 17 / 10, "s")},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--block", type=int, default=1_000, help="records a block")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="twin-bench-") as place,
        own_ledger(Path(place)) as seal,
    ):
        for start in range(0, given.records, given.block):
            fill(start, min(start + given.block, given.records))
            seal()
        for line in measure(Path(place), rounds=given.rounds):
            print(json.dumps(line), flush=True)


@contextmanager
def own_ledger(place: Path) -> Iterator[Callable[[], None]]:
    """Start services of our own, with Django on an empty ledger; give what seals it."""
    from tests.services import SESSION, TestServices

    services = TestServices()
    for name in [name for name in os.environ if name.startswith("TWIN_")]:
        del os.environ[name]
    os.environ.update(services.environment(SESSION), TWIN_PROCESS="benchmark")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "twin_core.config.settings")
    import django

    django.setup()
    from django.conf import settings

    from audit.checkpoint import vkey
    from tests.audit.sealing import ORIGIN, Ledger

    with services.running():
        services.clone(SESSION)
        ledger = Ledger(services, SESSION, place / "checkpoints")
        settings.LEDGER_PUBLIC_KEY_FILE = place / "ledger.pub"
        settings.LEDGER_PUBLIC_KEY_FILE.write_text(vkey(ORIGIN, ledger.key) + "\n")
        with ledger.as_sealer():
            sealer = ledger.sealer()

        def seal() -> None:
            with ledger.as_sealer():
                sealer.seal()
                sealer.publish()

        yield seal


if __name__ == "__main__":
    main()
