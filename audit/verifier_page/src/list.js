// The list of records after the check: found, turned page by page, opened one by one.
import { byId, make } from "./dom.js";

const { canonicalText } = bundleVerifier;
const PAGE = 25; // records shown at once

/** A value as people read it: a measured value with its unit, text as text, else JSON. */
function shown(value) {
  if (value === undefined) return "";
  if (value === null) return "none";
  if (typeof value === "string") return value;
  if (typeof value === "object" && "value" in value && "unit" in value && Object.keys(value).length === 2) {
    return `${shown(value.value)} ${shown(value.unit)}`;
  }
  return canonicalText(value);
}

function changeTable({ subject, old, new: fresh }) {
  const names = [...new Set([...Object.keys(old || {}), ...Object.keys(fresh || {})])].sort();
  const rows = names.map((name) => {
    const [before, after] = [shown((old || {})[name]), shown((fresh || {})[name])];
    const differs = before !== after;
    return make("tr", {}, make("th", { scope: "row", text: name }),
      make("td", differs && before ? { class: "old", text: before } : { text: before }),
      make("td", differs && after ? { class: "new", text: after } : { text: after }));
  });
  const heads = ["Field", old === null ? "Old (there was none)" : "Old", fresh === null ? "New (there is none)" : "New"];
  return make("table", {}, make("caption", { class: "quiet", text: `${subject.type} ${subject.id}` }),
    make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col", text })))), make("tbody", {}, ...rows));
}

function facts(entry) {
  const { payload } = entry;
  const source = payload.source || {};
  const pairs = [
    ["Reason", payload.reason], ["Occurred", payload.occurred_at], ["Recorded", entry.recorded_at],
    ["By", `${payload.actor.name} (${payload.actor.kind} ${payload.actor.id})`],
    ["Source", Object.keys(source).filter((name) => source[name]).map((name) => `${name} ${source[name]}`).join(", ")],
    ["Data", payload.data && canonicalText(payload.data)], ["Rests on", payload.parents.join(" ")],
    ["Blobs", payload.blobs.join(" ")], ["Id", entry.id], ["Leaf", entry.leaf], ["Transaction", entry.transaction],
  ].filter(([, value]) => value);
  return make("dl", {}, ...pairs.flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value })]));
}

function bodyOf(entry) {
  const raw = make("details", {}, make("summary", { text: "The bytes that were hashed" }), make("pre", { tabindex: "0", "aria-label": "payload", text: entry.text }));
  try {
    return make("div", { class: "body" }, facts(entry), ...entry.payload.changes.map(changeTable), raw);
  } catch (error) { // a payload of another form is still readable as it stands
    return make("div", { class: "body" }, make("p", { text: `Not of the form of the format (${error.message}).` }), raw);
  }
}

function recordItem(entry) {
  const { payload } = entry;
  const actor = payload.actor && payload.actor.name ? payload.actor.name : "";
  const item = make("details", { class: "record", "data-sequence": entry.sequence },
    make("summary", {}, make("span", { text: entry.sequence }), make("span", { class: "mono", text: `${entry.recorded_at.slice(0, 19)}Z` }),
      make("span", { class: "kind", text: payload.kind }), make("span", { text: [payload.stream, actor].filter(Boolean).join(", ") })));
  item.addEventListener("toggle", () => {
    if (item.open && item.children.length === 1) item.append(bodyOf(entry));
  });
  return item;
}

/** The list; `ask(message)` puts a question to the session that holds the bundle. */
export class RecordList {
  constructor(ask) {
    Object.assign(this, { ask, ticket: 0, starts: [0], next: null, filter: "" });
    byId("find").addEventListener("submit", (event) => {
      event.preventDefault();
      this.restart(byId("filter").value);
    });
    byId("earlier").addEventListener("click", () => this.turn(-1));
    byId("later").addEventListener("click", () => this.turn(1));
  }

  hide() {
    this.ticket += 1;
    byId("records").hidden = true;
    byId("list").replaceChildren();
    byId("filter").value = "";
  }

  restart(filter) {
    Object.assign(this, { filter, starts: [0], next: null });
    byId("records").hidden = false;
    this.load();
  }

  turn(step) {
    if (step > 0) this.starts.push(this.next);
    else this.starts.pop();
    this.load();
  }

  load() {
    this.ticket += 1;
    byId("earlier").disabled = byId("later").disabled = true;
    byId("found").textContent = "Reading";
    this.ask({ kind: "search", ticket: this.ticket, from: this.starts[this.starts.length - 1], limit: PAGE, filter: this.filter });
  }

  /** Show how far a search is. */
  searching({ ticket, at, all }) {
    if (ticket === this.ticket) byId("found").textContent = `Searching: ${Math.floor((100 * at) / all)} %`;
  }

  /** Say that the records could not be read again; the verdict stands, it was given before. */
  failed({ what }) {
    byId("list").replaceChildren();
    byId("found").textContent = `The records could not be read again (${what}). Have the files been moved? Choose the bundle once more.`;
  }

  found({ ticket, entries, next }) {
    if (ticket !== this.ticket) return;
    this.next = next;
    byId("list").replaceChildren(...entries.map(recordItem));
    byId("earlier").disabled = this.starts.length === 1;
    byId("later").disabled = next === null;
    const page = this.starts.length > 1 || next !== null ? `Page ${this.starts.length}: ` : "";
    byId("found").textContent = entries.length ? `${page}${entries.length} records, old and new side by side when opened` : "No record contains all these words.";
  }
}
