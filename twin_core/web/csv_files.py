"""Charts and tables as CSV for a spreadsheet: full precision, and no cell that it would run."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.http import HttpResponse

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
ACTIVE = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes what begins so for a formula
EDGES = ("", " low", " high")


def neutral(cell: Any) -> str:
    """Return a cell as text that no spreadsheet evaluates; numbers stay numbers."""
    text = "" if cell is None else str(cell)
    if text.startswith(ACTIVE) and not NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([neutral(cell) for cell in head])
    writer.writerows([neutral(cell) for cell in row] for row in rows)
    return out.getvalue()


def of_chart(chart: Mapping[str, Any]) -> str:
    """Return a chart's values over one time axis; a band takes three columns."""
    columns: list[tuple[str, dict[float, Any]]] = []
    for series in chart["series"]:
        for at, edge in enumerate(EDGES if series["kind"] == "band" else EDGES[:1], 1):
            label = f"{series['label']}{edge}"
            columns.append((label, {point[0]: point[at] for point in series["points"]}))
    times = sorted({time for _, points in columns for time in points})
    unit = f" ({chart['stored_unit']})" if chart["stored_unit"] else ""
    head = ["process time (h)", *(label + unit for label, _ in columns)]
    return table(head, ([time, *(points.get(time) for _, points in columns)] for time in times))


def attachment(content: str, name: str) -> HttpResponse:
    """Return CSV as a download."""
    response = HttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
