"""Leave one feeding strategy out at a time: the figures and pictures of the twin's page.

    python -m twin_core.equipment.bioreactor.evidence PACKAGE ATTRIBUTE OUT

For each value of ATTRIBUTE a version is calibrated without its batches and replayed on them;
OUT gets leave_one_out.json and two PNG pictures (matplotlib, a development dependency).
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from twin_core.equipment.bioreactor.twin import TWIN
from twin_core.science.calibration import calibrate
from twin_core.science.estimation import estimate
from twin_core.science.forecasting import OK, forecast
from twin_core.science.packages import BatchHistory, Package, attribute_of, read_package
from twin_core.science.scoring import Pair, next_sample_pairs, scores
from twin_core.science.versions import ModelVersion

SHOWN_H = 168.0  # age at which the picture's forecasts are issued


def leave_one_out(package: Package, attribute: str) -> tuple[list[Pair], dict[str, ModelVersion]]:
    """Return all pairs, each forecast by a version that never saw its group, and the versions."""
    groups = sorted({attribute_of(batch, attribute) for batch in package.batches})
    pairs: list[Pair] = []
    versions = {}
    for group in tqdm(groups, unit=" groups", disable=None):
        version = calibrate(
            package.without(attribute, group),
            TWIN.model("cho_fed_batch"),
            name=f"without-{group}",
            group_by=attribute,
        ).version
        versions[group] = version
        for batch in package.only(attribute, group).batches:
            pairs += next_sample_pairs(version, batch)
    return pairs, versions


def content(package: Package, attribute: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return the scores over all groups and for each group."""
    group_of = {batch.batch_id: attribute_of(batch, attribute) for batch in package.batches}
    groups = sorted(set(group_of.values()))
    return {
        "package_digest": package.digest,
        "left_out": attribute,
        "all": scores(pairs),
        "about_24h": scores([p for p in pairs if is_about_a_day(p)]),
        "groups": {g: scores([p for p in pairs if group_of[p.batch_id] == g]) for g in groups},
        "undecided": sorted(
            f"{p.batch_id} {p.tag} issued {p.issued_h:.1f} h for {p.time_h:.1f} h"
            for p in pairs
            if p.steps == 1 and p.status != OK
        ),
    }


def is_about_a_day(p: Pair) -> bool:
    """Say whether both rivals are defined for a pair and its sample came within 30 h."""
    return p.known > 1 and p.time_h - p.last_h < 30.0


def draw_scatter(pairs: Sequence[Pair], path: Path) -> None:
    """Draw next-sample forecast against outcome, undecided forecasts apart."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 4), dpi=90, layout="constrained")
    for axis, tag in zip(axes, ("viable_cell_density", "viability"), strict=True):
        first = [p for p in pairs if p.tag == tag and p.steps == 1]
        for status, colour, name in ((OK, "C0", "decided"), ("undecided", "C3", "undecided")):
            some = [p for p in first if p.status == status]
            bars = [[p.mean - p.lo90 for p in some], [p.hi90 - p.mean for p in some]]
            axis.errorbar(
                [p.seen for p in some], [p.mean for p in some], yerr=bars,
                fmt="o", ms=3, lw=0.6, color=colour, label=name,
            )  # fmt: skip
        ends = [min(p.seen for p in first), max(p.seen for p in first)]
        axis.plot(ends, ends, color="0.5", lw=0.8)
        axis.set(title=tag.replace("_", " "), xlabel="measured", ylabel="forecast, 90 % band")
        axis.legend(frameon=False)
    figure.savefig(path)
    plt.close(figure)


def draw_courses(
    package: Package, attribute: str, versions: dict[str, ModelVersion], path: Path
) -> None:
    """Draw one culture of each group with the forecast issued at SHOWN_H."""
    import matplotlib.pyplot as plt

    size = len(versions)
    figure, axes = plt.subplots(
        2, size, figsize=(2.4 * size, 4.4), dpi=80, sharex=True, sharey="row", layout="constrained"
    )
    for column, (group, version) in enumerate(sorted(versions.items())):
        batch = max(package.only(attribute, group).batches, key=lambda b: len(b.samples))
        for row, tag in enumerate(("viable_cell_density", "viability")):
            draw_course(axes[row, column], version, batch, tag)
        axes[0, column].set_title(f"{group}: {batch.batch_id}", fontsize=8)
        axes[1, column].set_xlabel("h since inoculation")
    axes[0, 0].set_ylabel("1e6 cells/mL")
    axes[1, 0].set_ylabel("viability, %")
    figure.savefig(path)
    plt.close(figure)


def draw_course(axis: Any, version: ModelVersion, batch: BatchHistory, tag: str) -> None:
    """Draw the samples of a tag and the forecast issued at SHOWN_H."""
    series = [(s.time_h, s.value, s.received_h) for s in batch.samples if s.tag == tag]
    axis.plot([t for t, _, _ in series], [v for _, v, _ in series], "o", ms=3, color="0.2")
    made = forecast(version, estimate(version, batch, SHOWN_H))
    rows = [row for row in made.rows if row.tag == tag]
    times = [row.time_h for row in rows]
    axis.fill_between(
        times, [row.lo90 for row in rows], [row.hi90 for row in rows], alpha=0.25, color="C0"
    )
    axis.plot(times, [row.mean for row in rows], color="C0", lw=1)
    axis.axvline(SHOWN_H, color="0.7", lw=0.6)


def main(arguments: list[str]) -> int:
    if len(arguments) != 3:
        print("usage: python -m ...evidence PACKAGE ATTRIBUTE OUT", file=sys.stderr)
        return 2
    package, attribute, out = read_package(Path(arguments[0])), arguments[1], Path(arguments[2])
    pairs, versions = leave_one_out(package, attribute)
    out.mkdir(parents=True, exist_ok=True)
    found = content(package, attribute, pairs)
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    (out / "leave_one_out.json").write_text(text, encoding="utf-8")
    draw_scatter(pairs, out / "leave_one_out.png")
    draw_courses(package, attribute, versions, out / "courses.png")
    print(json.dumps(found["all"], indent=1, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
