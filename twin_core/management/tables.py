"""What commands of the model registry print: a table of scores, a step of a progress bar."""

from collections.abc import Callable, Mapping
from typing import Any

COLUMNS = {
    "tag": "tag",
    "forecasts": "forecasts",
    "undecided": "undecided",
    "rmse": "RMSE",
    "rmse_persistence": "persistence",
    "rmse_line": "straight line",
    "range": "range",
    "coverage_90": "in 90 % band",
}


def print_scores(out: Any, scores: Mapping[str, Any]) -> None:
    """Write next-sample scores as a table: a tag a line, beside the naive forecasts."""
    rows = [
        [tag, *(_cell(entry.get(name)) for name in list(COLUMNS)[1:])]
        for tag, entry in scores.items()
        if isinstance(entry, Mapping)
    ]
    table = [list(COLUMNS.values()), *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(COLUMNS))]
    for row in table:
        first, *rest = (cell for cell in row)
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        out.write("  ".join([first.ljust(widths[0]), *cells]))


def _cell(value: Any) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{float(value):.4g}"


def one_more(bar: Any) -> Callable[[str], None]:
    """Return a progress callback that moves a bar on by one."""

    def step(_: str) -> None:
        bar.update()

    return step
