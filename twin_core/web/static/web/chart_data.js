// Pure: a chart's data as columns over one common axis, as text and as CSV.

/** Columns of a chart: a line or points give one, a band three (middle, low, high). */
export function columnsOf(spec) {
  return spec.series.flatMap((series) => {
    const one = { key: series.key, label: series.label, colour: series.colour ?? 1, dashed: series.dashed, stepped: series.stepped, series };
    if (series.kind === "band")
      return [
        { ...one, role: "line", at: 1, dashed: series.dashed ?? true },
        { ...one, role: "low", at: 2, label: `${series.label} low` },
        { ...one, role: "high", at: 3, label: `${series.label} high` },
      ];
    return [{ ...one, role: series.kind === "points" ? "point" : "line", at: 1 }];
  });
}

/** [x, y1, y2, ...] over the sorted union of all x; null where a series has no point. */
export function rowsOf(spec, columns) {
  const axis = [...new Set(spec.series.flatMap((series) => series.points.map((point) => point[0])))].sort((a, b) => a - b);
  const place = new Map(axis.map((x, index) => [x, index]));
  const filled = columns.map((column) => {
    const values = new Array(axis.length).fill(null);
    for (const point of column.series.points) values[place.get(point[0])] = point[column.at] ?? null;
    return values;
  });
  return [axis, ...filled];
}

/** Four significant digits, no exponent for everyday sizes. */
export function shown(value) {
  if (value === null || value === undefined) return "";
  return String(Number(value.toPrecision(4)));
}

const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export function toCsv(spec, columns, rows) {
  const unit = spec.unit ? ` (${spec.unit})` : "";
  const head = [spec.x_label ?? "process time, h", ...columns.map((column) => column.label + unit)];
  const lines = rows[0].map((x, at) => [x, ...columns.map((_, index) => rows[index + 1][at] ?? "")].join(","));
  return [head.map(quoted).join(","), ...lines, ""].join("\r\n");
}
