// Building elements; text is always set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const MARKS = {
  sound: "M20 33.500l8.500 8.500L45 24",
  consistent: "M32 18v17M32 43.500v.500",
  flaw: "M22 22l20 20M42 22L22 42",
};

/** Return the element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Make an element; `attributes.text` becomes its text. */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "text") element.textContent = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** The sign of a verdict: shape and colour, so that neither is needed alone. */
export function markOf(verdict) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 64 64");
  svg.setAttribute("aria-hidden", "true");
  const outline = document.createElementNS(SVG, verdict === "flaw" ? "path" : "circle");
  const form = verdict === "flaw" ? { d: "M20 3h24l17 17v24L44 61H20L3 44V20z" } : { cx: 32, cy: 32, r: 29 };
  const mark = document.createElementNS(SVG, "path");
  for (const [name, value] of Object.entries({ ...form, fill: "currentColor" })) outline.setAttribute(name, value);
  const pen = { d: MARKS[verdict], fill: "none", stroke: "var(--surface)", "stroke-width": 6, "stroke-linecap": "round", "stroke-linejoin": "round" };
  for (const [name, value] of Object.entries(pen)) mark.setAttribute(name, value);
  svg.append(outline, mark);
  return svg;
}

/** Make a table of rows; the columns named in `numbers` are set to the right. */
export function table(caption, heads, rows, numbers = []) {
  const body = rows.map((row) => make("tr", {}, ...row.map((text, i) => make(i ? "td" : "th",
    { ...(i ? {} : { scope: "row" }), ...(numbers.includes(i) ? { class: "number" } : {}), text }))));
  const head = make("tr", {}, ...heads.map((text, i) => make("th", { scope: "col", ...(numbers.includes(i) ? { class: "number" } : {}), text })));
  return make("table", {}, make("caption", { class: "visually-hidden", text: caption }),
    make("thead", {}, head), make("tbody", {}, ...body));
}
