// Charts: <figure class="chart" data-chart="ID"> next to <script type="application/json" id="ID">,
// or data-chart-src="ADDRESS". The format of the data is written down in docs/design/charts.md.
// uPlot draws lines, bands and points; this module adds limits, events, the line of now, a
// readout by keyboard, a table, CSV and live points. No colour is fixed here: all are tokens.
/* global uPlot */
import { addOverlays } from "./chart_overlays.js";
import { buildFrame, fillLegend } from "./chart_frame.js";
import { columnsOf, rowsOf, shown, toCsv } from "./chart_data.js";

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3], [4, 4], [12, 4]];

function seriesOptions(column, spec) {
  const colour = token(`--chart-${column.colour}`);
  if (column.role === "point")
    return { label: column.label, stroke: colour, paths: () => null,
      points: { show: true, size: 8, width: 2, stroke: colour, fill: token("--surface") } };
  const isEdge = column.role === "low" || column.role === "high";
  return {
    label: column.label, stroke: isEdge ? "transparent" : colour, width: isEdge ? 0 : 2,
    dash: column.dashed ? [5, 4] : DASHES[spec.dashByColour ? column.colour - 1 : 0],
    spanGaps: true, points: { show: false },
    ...(column.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
  };
}

function bandsOf(columns) {
  const found = [];
  columns.forEach((column, index) => {
    if (column.role === "high") // the low edge stands just before the high one
      found.push({ series: [index + 1, index], fill: fade(token(`--chart-${column.colour}`)) });
  });
  return found;
}

function fade(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${r},${g},${b},${token("--band-alpha")})`;
}

function axis(label, extra) {
  const font = `12px ${token("--font")}`;
  return { label, labelFont: font, font, stroke: token("--chart-axis"), labelSize: 18, labelGap: 0,
    grid: { stroke: token("--chart-grid"), width: 1 }, ticks: { stroke: token("--chart-grid"), width: 1, size: 4 }, ...extra };
}

function verticalRange(spec) {
  return (_, low, high) => {
    if (low === null) return [0, 1];
    const marks = (spec.limits ?? []).filter((limit) => limit.inside !== false).map((limit) => limit.value);
    let [from, to] = [Math.min(low, ...marks), Math.max(high, ...marks)];
    if (spec.zero) from = Math.min(0, from);
    const pad = (to - from || Math.abs(to) || 1) * 0.08;
    return [spec.zero && from === 0 ? 0 : from - pad, to + pad];
  };
}

class Chart {
  constructor(root, spec) {
    this.root = root;
    this.spec = spec;
    this.frame = buildFrame(root, spec, this);
    this.refresh();
    new ResizeObserver(() => this.resize()).observe(this.frame.plot);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.refresh());
  }

  refresh() {
    this.columns = columnsOf(this.spec);
    this.rows = rowsOf(this.spec, this.columns);
    fillLegend(this.frame.legend, this.spec, DASHES);
    this.plot?.destroy();
    this.plot = null;
    this.draw();
    this.say(null);
    if (!this.frame.table.hidden) this.fillTable();
  }

  draw() {
    const { plot } = this.frame;
    if (!plot.clientWidth) return; // in a closed tab; the observer comes back
    const { spec } = this;
    const overlays = addOverlays(spec, token);
    this.plot = new uPlot({
      width: plot.clientWidth, height: plot.clientHeight, padding: [overlays.headroom, 12, 0, 4],
      scales: { x: { time: false, range: this.horizontalRange() }, y: { range: verticalRange(spec) } },
      axes: [axis(spec.x_label ?? "process time, h", { size: 34 }), axis(spec.unit, { size: 52 })],
      series: [{}, ...this.columns.map((column) => seriesOptions(column, spec))],
      bands: bandsOf(this.columns),
      legend: { show: false },
      cursor: { drag: { x: true, y: false }, points: { size: 6 }, y: false },
      hooks: { drawClear: [overlays.below], draw: [overlays.above], setCursor: [(u) => this.say(u.cursor.idx)] },
    }, this.rows, plot);
  }

  horizontalRange() {
    const { x_min: low, x_max: high } = this.spec;
    return (_, from, to, ...rest) => {
      const whole = this.rows[0];
      const isWhole = from === whole[0] && to === whole[whole.length - 1];
      return isWhole ? [low ?? from, high ?? to] : [from, to];
    };
  }

  resize() {
    const { plot } = this.frame;
    if (!this.plot) this.draw();
    else if (plot.clientWidth && plot.clientWidth !== this.plot.width)
      this.plot.setSize({ width: plot.clientWidth, height: plot.clientHeight });
  }

  /** One sentence about a row; without one, about the last values there are. */
  say(index, aloud = false) {
    const { readout } = this.frame;
    readout.setAttribute("aria-live", aloud ? "polite" : "off");
    readout.textContent = index === null || index === undefined ? this.lastValues() : this.sentence(index);
  }

  sentence(index) {
    const values = this.columns.map((column, at) => [column, this.rows[at + 1][index]]).filter(([, value]) => value !== null && value !== undefined);
    const words = values.map(([column, value]) => `${column.label} ${shown(value)}`);
    return `${shown(this.rows[0][index])} h: ${words.join(", ") || "no value"} ${this.spec.unit ?? ""}`.trim();
  }

  lastValues() {
    const words = this.columns.filter((column) => column.series.kind !== "band").map((column) => {
      const at = this.columns.indexOf(column) + 1;
      const index = this.rows[at].findLastIndex((value) => value !== null && value !== undefined);
      return index < 0 ? null : `${column.label} ${shown(this.rows[at][index])} at ${shown(this.rows[0][index])} h`;
    });
    const found = words.filter(Boolean);
    return found.length ? `Last: ${found.join(", ")} (${this.spec.unit || "no unit"})` : "No values yet.";
  }

  onKey(event) {
    const last = this.rows[0].length - 1;
    const at = this.at ?? last;
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last, PageDown: at + 10, PageUp: at - 10 }[event.key];
    if (next === undefined || last < 0) return;
    event.preventDefault();
    this.at = Math.min(last, Math.max(0, next));
    const left = this.plot.valToPos(this.rows[0][this.at], "x");
    this.plot.setCursor({ left, top: 20 }, false);
    this.say(this.at, true);
  }

  toggleTable(button) {
    const { table } = this.frame;
    table.hidden = !table.hidden;
    button.setAttribute("aria-expanded", String(!table.hidden));
    if (!table.hidden) this.fillTable();
  }

  fillTable() {
    this.frame.fillTable(this.columns, this.rows);
  }

  save() {
    const blob = new Blob([toCsv(this.spec, this.columns, this.rows)], { type: "text/csv" });
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${this.spec.id}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  /** Show what the spec holds by now; its series are the same as before (see live.js). */
  update() {
    this.columns = columnsOf(this.spec);
    this.rows = rowsOf(this.spec, this.columns);
    this.plot?.setData(this.rows);
    if (!this.plot?.cursor.left || this.plot.cursor.left < 0) this.say(null);
    if (!this.frame.table.hidden) this.fillTable();
  }
}

async function specOf(root) {
  if (root.dataset.chartSrc) {
    const answer = await fetch(root.dataset.chartSrc, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return answer.json();
  }
  return JSON.parse(document.getElementById(root.dataset.chart).textContent);
}

async function start(root) {
  try {
    root.chart = new Chart(root, await specOf(root));
  } catch (error) {
    const text = document.createElement("p");
    text.className = "field-error";
    text.textContent = `This chart could not be drawn: ${error.message}. Reload the page; the CSV file has the same data.`;
    root.append(text);
    throw error;
  }
}

for (const root of document.querySelectorAll("[data-chart], [data-chart-src]")) start(root);
