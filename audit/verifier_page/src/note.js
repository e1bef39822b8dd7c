// Checkpoints: C2SP signed notes with a fixed body, and the signatures below it.
import { Flaw, fromBase64, hex, utf8 } from "./bytes.js";
import { verifyEd25519 } from "./ed25519.js";
import { LEDGER, cosigned } from "./keys.js";

const BODY = /^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\nblock (0|[1-9][0-9]{0,15}) ([0-9a-f]{64})\n$/;
const MOST_SIGNATURES = 64;
const SIGNATURE = /^\u2014 ([^+\s\u0085]+) ([A-Za-z0-9+/]+={0,2})$/u;
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/; // every one below U+0020 but the newline

/** Split a note into its body and its signature lines. */
function parts(text, place) {
  if (CONTROL.test(text)) throw new Flaw(place, "the checkpoint holds a control character");
  const cut = text.lastIndexOf("\n\n");
  if (cut < 0 || !text.endsWith("\n")) throw new Flaw(place, "is no signed note");
  const lines = text.slice(cut + 2, -1).split("\n");
  if (lines.length > MOST_SIGNATURES) throw new Flaw(place, `bears more than ${MOST_SIGNATURES} signatures`);
  return { body: text.slice(0, cut + 1), lines };
}

function readSignature(line, place) {
  const found = SIGNATURE.exec(line);
  const bytes = found && fromBase64(found[2]);
  if (!bytes || bytes.length < 5) throw new Flaw(place, "a signature line is not well formed");
  return { name: found[1], id: hex(bytes.subarray(0, 4)), bytes: bytes.subarray(4) };
}

/** Return the checkpoint in a note's text; throws Flaw unless it has the form of one. */
export function readCheckpoint(text, place) {
  if (typeof text !== "string") throw new Flaw(place, "is no JSON string");
  const { body, lines } = parts(text, place);
  const found = BODY.exec(body);
  const root = found && fromBase64(found[3]);
  if (!root) throw new Flaw(place, "the body is not that of a checkpoint");
  const [size, number] = [Number(found[2]), Number(found[4])];
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(number)) {
    throw new Flaw(place, "size or block number is beyond 2^53 - 1");
  }
  return {
    body, size, number, place, origin: found[1], root: hex(root), hash: found[5],
    signatures: lines.map((line) => readSignature(line, place)),
  };
}

/** Return the time of a cosignature if it is the key's over the body, else null. */
function cosignatureTime(key, body, bytes) {
  if (bytes.length !== 72) return null;
  const time = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
  return verifyEd25519(key.key, cosigned(time, body), bytes.subarray(8)) ? time : null;
}

/**
 * Check every signature whose key the ring holds.
 *
 * Returns {ledger: [key], witnesses: [{key, time}], unknown: n}; throws Flaw for a wrong one.
 * Each key is returned once, however many lines it wrote.
 */
export function checkSignatures(checkpoint, ring) {
  const ledger = new Set(), witnesses = new Map();
  let unknown = 0;
  for (const { name, id, bytes } of checkpoint.signatures) {
    const key = ring.find(name, id);
    if (!key) {
      unknown += 1;
    } else if (key.algorithm === LEDGER) {
      const good = verifyEd25519(key.key, utf8(checkpoint.body), bytes);
      if (!good) throw new Flaw(checkpoint.place, `the signature of ${key.label} is wrong`);
      ledger.add(key);
    } else {
      const time = cosignatureTime(key, checkpoint.body, bytes);
      if (time === null) throw new Flaw(checkpoint.place, `the cosignature of ${key.label} is wrong`);
      if (!witnesses.has(key) || witnesses.get(key) < time) witnesses.set(key, time);
    }
  }
  const timed = [...witnesses].map(([key, time]) => ({ key, time }));
  return { ledger: [...ledger], witnesses: timed, unknown };
}
