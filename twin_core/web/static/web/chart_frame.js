// What stands around the plot: title, buttons, legend, readout, table. All of it is text.
import { shown } from "./chart_data.js";

const SVG = "http://www.w3.org/2000/svg";
const ROWS = 400; // more make a table nobody reads; the CSV has them all

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function describe(spec) {
  const parts = spec.series.map((series) => series.label);
  const now = spec.now === null || spec.now === undefined ? "" : ` Now is ${shown(spec.now)} h.`;
  return `${spec.title} over ${spec.x_label ?? "process time in hours"}: ${parts.join(", ")}.${now} Arrow keys read the values; the table button shows them all.`;
}

function buttons(spec, chart, table) {
  const toggle = make("button", { type: "button", class: "button button-quiet", "aria-expanded": "false", "aria-controls": table.id, "aria-label": `Table of ${spec.title}` }, "Table");
  toggle.addEventListener("click", () => chart.toggleTable(toggle));
  if (spec.csv) return [toggle, make("a", { class: "button button-quiet", href: spec.csv, download: "", "aria-label": `CSV of ${spec.title}` }, "CSV")];
  const save = make("button", { type: "button", class: "button button-quiet", "aria-label": `CSV of ${spec.title}` }, "CSV");
  save.addEventListener("click", () => chart.save());
  return [toggle, save];
}

export function buildFrame(root, spec, chart) {
  const level = root.dataset.level ?? "3";
  const table = make("div", { class: "chart-table", id: `table-${spec.id}`, tabindex: "0", role: "region", "aria-label": `${spec.title}, values` });
  table.hidden = true;
  const actions = make("div", { class: "actions" }, ...buttons(spec, chart, table));
  const head = make("div", { class: "chart-head" }, make(`h${level}`, {}, spec.title), make("span", { class: "unit" }, spec.unit ?? ""), actions);
  const plot = make("div", { class: "chart-plot", role: "img", tabindex: "0", "aria-label": describe(spec) });
  plot.addEventListener("keydown", (event) => chart.onKey(event));
  const readout = make("div", { class: "chart-readout" });
  const legend = make("ul", { class: "chart-legend", "aria-label": "Legend" });
  root.replaceChildren(head, legend, plot, readout, table);
  return { plot, readout, legend, table, fillTable: (columns, rows) => fillTable(table, spec, columns, rows) };
}

function glyph(series, dashes, byColour) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 24 12");
  drawing.setAttribute("class", `c${series.colour ?? 1}`);
  drawing.setAttribute("aria-hidden", "true");
  const put = (name, attributes) => {
    const part = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries({ stroke: "currentColor", fill: "none", "stroke-width": 2, ...attributes })) part.setAttribute(key, value);
    drawing.append(part);
  };
  if (series.kind === "points") put("circle", { cx: 12, cy: 6, r: 3.5 });
  else {
    if (series.kind === "band") put("rect", { x: 0, y: 1, width: 24, height: 10, fill: "currentColor", "fill-opacity": 0.22, stroke: "none" });
    const dash = series.dashed ?? series.kind === "band" ? [5, 4] : dashes[byColour ? (series.colour ?? 1) - 1 : 0];
    put("path", { d: "M0 6h24", "stroke-dasharray": dash.join(" ") });
  }
  return drawing;
}

export function fillLegend(legend, spec, dashes) {
  legend.replaceChildren(...spec.series.map((series) => make("li", {}, glyph(series, dashes, spec.dashByColour), series.label)));
}

function fillTable(box, spec, columns, rows) {
  const heads = [spec.x_label ?? "process time, h", ...columns.map((column) => column.label)];
  const count = rows[0].length;
  const from = Math.max(0, count - ROWS);
  const text = `${spec.title}${spec.unit ? ` in ${spec.unit}` : ""}, ${count} rows${from ? `; the last ${ROWS} are shown, the CSV file has all` : ""}`;
  const body = make("tbody");
  for (let at = from; at < count; at += 1)
    body.append(make("tr", {}, make("th", { scope: "row" }, shown(rows[0][at])), ...columns.map((_, index) => make("td", { class: "num" }, shown(rows[index + 1][at])))));
  const head = make("thead", {}, make("tr", {}, ...heads.map((label, index) => make("th", { scope: "col", class: index ? "num" : undefined }, label))));
  box.replaceChildren(make("table", { class: "table" }, make("caption", {}, text), head, body));
}
