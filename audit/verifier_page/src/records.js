// Payloads, index lines and headers: the form of each, one line at a time.
import { Flaw, isHash } from "./bytes.js";
import { checkMembers, isObject } from "./json.js";

export const LARGEST_PAYLOAD = 32768; // bytes
export const FORK = "audit.ledger.forked";
const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID_7 = /^.{14}7.{4}[89ab]/;
const DECIMAL = /^(0|[1-9][0-9]{0,19})$/;
const INDEX = ["id", "leaf", "recorded_at", "sequence", "transaction"];
const PAYLOAD = ["actor", "blobs", "changes", "data", "kind", "occurred_at", "parents", "reason", "source", "stream", "v"];
const HEADER = [
  "count", "epoch", "first_sequence", "index_digest", "number", "origin", "previous", "records_digest", "root",
  "sealed_at", "system_identifier", "timeline", "transaction_below", "transaction_from", "tree_size", "v",
];

const isText = (value) => typeof value === "string";
const isTextOrNull = (value) => value === null || isText(value);
const isCount = (value) => Number.isInteger(value) && value >= 0;

/** Return whether a value has the digits and separators of a time; the calendar is not judged. */
export function isTime(value) {
  return isText(value) && TIME.test(value);
}

/** Return whether a value is a transaction number: decimal, without leading zeros. */
export function isTransaction(value) {
  return isText(value) && DECIMAL.test(value);
}

/** Compare two decimals without leading zeros as numbers: below, at or above 0. */
export function compareDecimals(left, right) {
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Throw Flaw unless an index line's value has the form of one and this sequence. */
export function checkIndexLine(line, sequence, place) {
  checkMembers(line, INDEX, place);
  if (line.sequence !== sequence) {
    throw new Flaw(place, `says sequence ${JSON.stringify(line.sequence)} where ${sequence} is due`);
  }
  if (!isText(line.id) || !UUID.test(line.id) || !UUID_7.test(line.id)) {
    throw new Flaw(place, "id is no version 7 UUID");
  }
  if (!isHash(line.leaf)) throw new Flaw(place, "leaf is no hash");
  if (!isTime(line.recorded_at)) throw new Flaw(place, "recorded_at is no time of the format");
  if (!isTransaction(line.transaction)) throw new Flaw(place, "transaction is no decimal number");
}

function hasMembers(value, names) {
  return isObject(value) && Object.keys(value).length === names.length && names.every((name) => name in value);
}

function isActor(actor) {
  if (!hasMembers(actor, ["id", "kind", "name"]) || !isText(actor.id) || !isText(actor.name)) return false;
  return actor.kind === "person" ? UUID.test(actor.id) : ["process", "os_user"].includes(actor.kind);
}

function isSource(source) {
  const names = ["address", "process", "session", "software"];
  return hasMembers(source, names) && names.every((name) => isTextOrNull(source[name]));
}

function isChange(change) {
  if (!hasMembers(change, ["new", "old", "subject"]) || !hasMembers(change.subject, ["id", "type"])) return false;
  const { subject } = change;
  return isText(subject.id) && isText(subject.type) && [change.old, change.new].every((side) => side === null || isObject(side));
}

const isChanges = (value) => Array.isArray(value) && value.every(isChange);
const isHashes = (value) => Array.isArray(value) && value.every(isHash);
const PAYLOAD_FORMS = {
  actor: isActor, blobs: isHashes, changes: isChanges, data: (value) => value === null || isObject(value),
  kind: isText, occurred_at: isTime, parents: isHashes, reason: isTextOrNull, source: isSource, stream: isText,
};

/** Throw Flaw unless a payload has the members of the format, in their forms. */
export function checkPayload(payload, place) {
  checkMembers(payload, PAYLOAD, place);
  if (payload.v !== 1) throw new Flaw(place, `v is ${JSON.stringify(payload.v)}; this page reads 1`);
  for (const [name, fits] of Object.entries(PAYLOAD_FORMS)) {
    if (!fits(payload[name])) throw new Flaw(place, `${name} has another form`);
  }
}

/** Throw Flaw unless a header's value has the form of one. */
export function checkHeaderForm(header, place) {
  checkMembers(header, HEADER, place);
  if (header.v !== 1) throw new Flaw(place, `v is ${JSON.stringify(header.v)}; this page reads 1`);
  for (const name of ["epoch", "number", "first_sequence", "count", "tree_size", "timeline"]) {
    if (!isCount(header[name])) throw new Flaw(place, `${name} is no count`);
  }
  for (const name of ["records_digest", "index_digest", "previous", "root"]) {
    if (!isHash(header[name])) throw new Flaw(place, `${name} is no hash`);
  }
  for (const name of ["origin", "system_identifier"]) {
    if (!isText(header[name])) throw new Flaw(place, `${name} is no text`);
  }
  for (const name of ["transaction_from", "transaction_below"]) {
    if (!isTransaction(header[name])) throw new Flaw(place, `${name} is no decimal number`);
  }
  if (!isTime(header.sealed_at)) throw new Flaw(place, "sealed_at is no time of the format");
}
