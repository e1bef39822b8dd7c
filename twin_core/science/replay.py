"""Walk the batches of a package in time, never looking ahead, and score the forecasts."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from twin_core.science.estimation import estimate
from twin_core.science.forecasting import Forecast, forecast
from twin_core.science.packages import BatchHistory, Package
from twin_core.science.scoring import Pair, issue_times, pair, scores
from twin_core.science.versions import ModelVersion, decimal_text

COLUMNS = ("batch_id", "issued_h", "horizon_h", "time_h", "tag", "mean", "lo90", "hi90", "status")


def walk(version: ModelVersion, batch: BatchHistory) -> Iterator[Forecast]:
    """Yield a forecast at each receipt of laboratory samples, from what was known then."""
    for now_h in issue_times(batch):
        yield forecast(version, estimate(version, batch, now_h))


def replay(
    package: Package,
    version: ModelVersion,
    out_dir: Path,
    *,
    progress: Callable[[str], None] | None = None,
) -> dict:
    """Write forecasts.csv and scores.json to ``out_dir``; return the scores.

    Batches that the version was trained on are refused: their score would flatter it.
    """
    trained = set(version.content["training"]["batches"])
    if known := sorted(b.batch_id for b in package.batches if b.batch_id in trained):
        raise ValueError(
            f"the version was trained on {', '.join(known)}: replay others, "
            "or calibrate a version without them"
        )
    out_dir.mkdir(parents=True, exist_ok=True)
    pairs: list[Pair] = []
    with (out_dir / "forecasts.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        for batch in package.batches:
            if progress is not None:
                progress(batch.batch_id)
            for made in walk(version, batch):
                table.writerows(lines(made))
                pairs += pair(batch, made.issued_h, made.rows, version)
    found = {
        "version": version.digest,
        "package_digest": package.digest,
        "batches": [batch.batch_id for batch in package.batches],
        "next_sample": scores(pairs),
    }
    text = json.dumps(found, sort_keys=True, indent=1) + "\n"
    (out_dir / "scores.json").write_text(text, encoding="utf-8")
    return found


def lines(made: Forecast) -> Iterator[tuple[str, ...]]:
    """Yield the rows of forecasts.csv of one forecast."""
    for row in made.rows:
        yield (
            made.batch_id,
            decimal_text(made.issued_h),
            decimal_text(row.time_h - made.issued_h),
            decimal_text(row.time_h),
            row.tag,
            decimal_text(row.mean),
            decimal_text(row.lo90),
            decimal_text(row.hi90),
            row.status,
        )
