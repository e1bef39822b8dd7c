"""Make the NISTCHO batch package from the table that its authors published.

    python -m twin_core.equipment.bioreactor.packages.nistcho SOURCE.csv FOLDER

Writes batches.csv, samples.csv and events.csv; README.md and LICENSE are kept by hand. Values
are carried over digit by digit; nothing is rounded, filled in or left out.
"""

import csv
import hashlib
import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

LABORATORY_TURNAROUND_H = Decimal("2")  # sample drawn to result released; an assumption of ours
SCALE_L = "0.25"  # nominal, not stated in the table; no computed number depends on it
TAGS = (
    ("viable_cell_density", "vcd_e6_per_ml", "1e6 cells/mL"),
    ("viability", "viability_pct", "%"),
    ("mean_cell_diameter", "mean_diameter_um", "um"),
)
SOURCE_SHA256 = "15f471fee6b74d8933857fc8ef0052f445d26567b885067f5896620c26d4d275"


def write_package(source: Path, folder: Path) -> None:
    """Write the three tables of the package; refuse another source than the one documented."""
    found = hashlib.sha256(source.read_bytes()).hexdigest()
    if found != SOURCE_SHA256:
        raise ValueError(f"{source}: SHA-256 is {found}, expected {SOURCE_SHA256}")
    with source.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows.sort(key=lambda row: (row["culture_id"], float(row["culture_time_h"])))
    write(folder / "batches.csv", batch_lines(rows))
    write(folder / "samples.csv", sample_lines(rows))
    write(folder / "events.csv", event_lines(rows))


def write(path: Path, lines: Iterable[tuple[str, ...]]) -> None:
    """Write a CSV file with Unix line ends."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(lines)


def batch_lines(rows: list[dict[str, str]]) -> Iterable[tuple[str, ...]]:
    """One line for each culture."""
    yield (
        "batch_id",
        "template",
        "scale_L",
        "campaign",
        "condition",
        "feeding_strategy",
        "replicate",
        "cell_line",
    )
    for culture in sorted({row["culture_id"] for row in rows}):
        row = next(row for row in rows if row["culture_id"] == culture)
        yield (
            culture,
            "cho_fed_batch",
            SCALE_L,
            row["campaign"],
            row["condition_code"],
            row["feeding_strategy"],
            row["replicate"],
            row["cell_line"],
        )


def sample_lines(rows: list[dict[str, str]]) -> Iterable[tuple[str, ...]]:
    """Three lines for each row of the source, received after the laboratory turnaround."""
    yield ("batch_id", "time_h", "tag", "value", "unit", "source", "received_h")
    for row in rows:
        time_h = row["culture_time_h"]
        received = str(Decimal(time_h) + LABORATORY_TURNAROUND_H)
        for tag, column, unit in TAGS:
            yield row["culture_id"], time_h, tag, row[column], unit, "lab", received


def event_lines(rows: list[dict[str, str]]) -> Iterable[tuple[str, ...]]:
    """The inoculation of each culture; the source tells neither feeds nor harvests."""
    yield ("batch_id", "time_h", "event", "tag", "value", "unit")
    for culture in sorted({row["culture_id"] for row in rows}):
        yield culture, "0", "inoculation", "", "", ""


if __name__ == "__main__":
    write_package(Path(sys.argv[1]), Path(sys.argv[2]))
