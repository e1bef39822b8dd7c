// The records of a checked bundle, page by page; lines are found by the offsets of the walk.
import { textOf } from "./bytes.js";
import { parseCanonical } from "./json.js";
import { readRange } from "./lines.js";
import { LARGEST_PAYLOAD } from "./records.js";

const BATCH = 200; // records read at once while searching
const NEAR = 8 * 1024 * 1024; // bytes; lines that lie further apart are read one by one
const LONGEST_INDEX_LINE = 512; // bytes; its form leaves no room for more

/** Return the values of lines `from` to `to` of a file whose line beginnings are known. */
async function linesOf(blob, offsets, from, to, path, longest, parse) {
  const start = offsets.values[from];
  const end = Math.min(offsets.values[to - 1] + longest + 1, blob.size);
  const near = end - start <= NEAR ? await readRange(blob, start, end) : null;
  const found = [];
  for (let i = from; i < to; i++) {
    const at = offsets.values[i];
    const bytes = near ? near.subarray(at - start) : await readRange(blob, at, Math.min(at + longest + 1, blob.size));
    found.push(parse(bytes.subarray(0, bytes.indexOf(0x0a)), `${path}, byte ${at + 1}`));
  }
  return found;
}

const INDEX_FIELDS = ["sequence", "recorded_at", "id", "leaf", "transaction"];

/** Return records `from` to `to`, each {payload, text, sequence, recorded_at, id, leaf, transaction}. */
async function recordsOf(files, walk, from, to) {
  const { records, index } = walk.offsets;
  const both = (line, place) => ({ payload: parseCanonical(line, place), text: textOf(line, place) });
  const payloads = await linesOf(files.get("records.jsonl"), records, from, to, "records.jsonl", LARGEST_PAYLOAD, both);
  const known = await linesOf(files.get("index.jsonl"), index, from, to, "index.jsonl", LONGEST_INDEX_LINE, parseCanonical);
  return payloads.map((each, i) => {
    const entry = { ...each };
    INDEX_FIELDS.forEach((name) => { entry[name] = known[i][name]; });
    return entry;
  });
}

/** Return whether a record fits: each word of the filter stands in its text or index, any case. */
function fits(entry, words) {
  const text = `${entry.text}\n${entry.sequence}\n${entry.recorded_at}\n${entry.id}\n${entry.leaf}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

/**
 * Return {entries, next}: up to `limit` records that fit from position `from` on, and the position
 * to go on from, or null at the end. `progress(position)` may stop the search by returning false.
 */
export async function searchRecords(files, walk, { from, limit, filter }, progress) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const total = walk.offsets.records.length;
  const entries = [];
  for (let at = from; at < total;) {
    const end = Math.min(at + (words.length ? BATCH : limit), total);
    for (const entry of await recordsOf(files, walk, at, end)) {
      at += 1;
      if (words.length && !fits(entry, words)) continue;
      entries.push(entry);
      if (entries.length === limit) return { entries, next: at < total ? at : null };
    }
    if (await progress(at, total) === false) return { entries, next: at };
  }
  return { entries, next: null };
}
