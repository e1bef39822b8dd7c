// The outcome of a check on the page: verdict, counts, keys, remarks.
import { make, markOf, table } from "./dom.js";

const { VERDICTS, checksOf, grouped, lastName, limitsOf, meaningOf, timeOf } = bundleVerifier;
const TITLES = { sound: "Sound, origin proved", consistent: "Consistent, origin not proved", flaw: "Flaw found" };

function verdictPanel(result) {
  const flaws = result.flaws.map(({ place, what }) => make("li", {}, make("strong", { text: place }), what));
  if (result.more) flaws.push(make("li", { text: `and ${result.more} more` }));
  const panel = make("section", { class: `verdict ${result.verdict}`, "aria-labelledby": "verdict", "data-verdict": result.verdict });
  panel.append(markOf(result.verdict), make("h2", { id: "verdict", tabindex: "-1", text: TITLES[result.verdict] }),
    make("p", { text: meaningOf(result) }));
  if (flaws.length) panel.append(make("ol", {}, ...flaws));
  return panel;
}

function definitions(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== "");
  return make("dl", {}, ...known.flatMap(([name, value, isCode]) => [
    make("dt", { text: name }), make("dd", isCode ? { class: "mono", text: value } : { text: value })]));
}

function checksPanel(result) {
  const rows = checksOf(result).map(([what, count, remark]) => [what, grouped(count), remark]);
  const how = `${result.seconds.toFixed(1)} s; SHA-256 and Ed25519 of this page${result.usedSubtle ? ", large files by the browser's SHA-256, which agrees" : " alone"}`;
  return make("section", { class: "panel" }, make("h2", { text: "What was checked" }),
    table("What was checked", ["Check", "Count", "Of what"], rows, [1]), make("p", { class: "quiet", text: how }));
}

function ledgerPanel(result, about) {
  const { manifest, ledger } = result;
  const last = ledger && ledger.last;
  const filters = Object.entries(manifest.filters).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
  const pairs = [
    ["Ledger", manifest.origin], ["Bundle", `${about.name}, ${manifest.scope}`], ["Filters", filters.join("; ")],
    ["Made", `${manifest.created_at.slice(0, 19)}Z by ${manifest.software}`], ["Checked", about.at],
    ["Sealed", ledger && `${ledger.from.slice(0, 19)}Z to ${ledger.to.slice(0, 19)}Z`],
    [lastName(result), last && `${grouped(last.size)} records, block ${grouped(last.number)}`],
    ["Its root", last && last.root, true], ["Its block", last && last.hash, true],
    ["Quorum", result.quorum === null ? null : `${result.quorum} asked, ${last ? last.cosigned.length : 0} witnesses on the last checkpoint`],
    ["Key turned", ledger && ledger.turns.map((turn) => `at block ${turn.number}: ${turn.from.join(", ")} to ${turn.to.join(", ")}`).join("; ")],
  ];
  return make("section", { class: "panel" }, make("h2", { text: "Ledger" }), definitions(pairs));
}

function keyEntry(each, role) {
  const seen = role === "witness" ? `checkpoints cosigned: ${grouped(each.count)}, last at ${timeOf(each.time)}`
    : `checkpoints signed: ${grouped(each.count)}, blocks ${grouped(each.first)} to ${grouped(each.last)}`;
  const tag = each.trusted ? make("span", { class: "tag good", text: "trusted" }) : make("span", { class: "tag open", text: "claimed only" });
  return make("div", { class: "key" }, make("p", {}, make("strong", { text: each.label }), " ", tag),
    make("p", { class: "quiet", text: `${role === "witness" ? "Witness" : "Ledger key"}; ${seen}` }),
    make("p", { class: "mono", text: each.fingerprint }));
}

function keysPanel(result) {
  const entries = [...result.keys.map((each) => keyEntry(each, "ledger")), ...result.witnesses.map((each) => keyEntry(each, "witness"))];
  if (!entries.length) return null;
  return make("section", { class: "panel" }, make("h2", { text: "Keys and witnesses" }), ...entries,
    make("p", { class: "quiet", text: "The figure below each name is the SHA-256 of its public key." }));
}

function remarksPanel(result) {
  const remarks = [...result.notices, ...limitsOf(result)];
  if (!remarks.length) return null;
  return make("section", { class: "panel remarks" }, make("h2", { text: "Remarks" }), make("ul", {}, ...remarks.map((text) => make("li", { text }))));
}

/** Return the elements that show a result; `acts` are the buttons under the verdict. */
export function outcomeOf(result, about, acts) {
  const facts = result.manifest ? [ledgerPanel(result, about), checksPanel(result)] : [];
  const parts = [verdictPanel(result), make("div", { class: "row acts" }, ...acts),
    facts.length ? make("div", { class: "facts" }, ...facts) : null, keysPanel(result), remarksPanel(result)];
  return parts.filter((part) => part !== null);
}

/** Return what to show where a check could not be made at all. */
export function failureOf(failed) {
  const panel = make("section", { class: "verdict failed", "aria-labelledby": "verdict", "data-verdict": "failed" });
  panel.append(markOf("flaw"), make("h2", { id: "verdict", tabindex: "-1", text: "Not checked" }),
    make("p", { text: `${failed.place ? `${failed.place} ` : "The files could not be read: "}${failed.what}.` }));
  return panel;
}

/** Return the verdict in one line, for the status that is read aloud. */
export function spoken(result) {
  const first = result.flaws[0];
  return first ? `${VERDICTS.flaw}: ${first.place}: ${first.what}` : VERDICTS[result.verdict];
}
