// Public keys as text: <name>+<key id>+<base64 of algorithm || public key>.
import { Flaw, fromBase64, hex, joined, sameBytes, utf8 } from "./bytes.js";
import { sha256 } from "./sha256.js";

export const LEDGER = 0x01; // Ed25519 over the body
export const WITNESS = 0x04; // Ed25519 over time and body: a cosignature
const KEY_TEXT = /^([^+\s\u0000-\u001f\u0085]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u;

/** Return whether a line has the outer form of a key. */
export function looksLikeKey(line) {
  return KEY_TEXT.test(line);
}

/** Return the four bytes that name a key on a signature line. */
export function keyId(name, algorithm, key) {
  return sha256(utf8(`${name}\n`), new Uint8Array([algorithm]), key).subarray(0, 4);
}

/** Return the key of one line, or null for an algorithm that the format passes over. */
export function readKey(line, place) {
  const found = KEY_TEXT.exec(line);
  const bytes = found && fromBase64(found[3]);
  if (!bytes) throw new Flaw(place, "is no public key text (name+id+base64)");
  const [algorithm, key] = [bytes[0], bytes.subarray(1)];
  const [, name, id] = found, passedOver = algorithm !== LEDGER && algorithm !== WITNESS;
  if (!passedOver && key.length !== 32) throw new Flaw(place, `the key of ${name} has ${key.length} bytes, not 32`);
  if (hex(keyId(name, algorithm, key)) !== id) {
    throw new Flaw(place, `the id ${id} is not that of the key of ${name}`);
  }
  return passedOver ? null : { name, id, algorithm, key, label: `${name}+${id}` };
}

/** The keys that signatures are checked with, found by the name and id on the line. */
export class KeyRing {
  constructor() {
    this.keys = new Map();
  }

  add(key, place) {
    const known = this.keys.get(key.label);
    if (known && (known.algorithm !== key.algorithm || !sameBytes(known.key, key.key))) {
      throw new Flaw(place, `two different keys bear the name and id ${key.label}`);
    }
    if (!known) this.keys.set(key.label, key);
    return this;
  }

  find(name, id) {
    return this.keys.get(`${name}+${id}`);
  }

  of(algorithm) {
    return [...this.keys.values()].filter((key) => key.algorithm === algorithm);
  }

  has(key) {
    const known = this.keys.get(key.label);
    return known !== undefined && sameBytes(known.key, key.key);
  }
}

/** Read the keys of keys.txt. */
export function readKeys(text, file) {
  const ring = new KeyRing();
  if (!text.endsWith("\n")) throw new Flaw(file, "does not end with a newline");
  text.slice(0, -1).split("\n").forEach((line, i) => {
    const place = `${file} line ${i + 1}`;
    const key = readKey(line, place);
    if (key) ring.add(key, place);
  });
  return ring;
}

/** Return the SHA-256 of the 32 bytes of a key, as people compare it. */
export function fingerprint(key) {
  return hex(sha256(key.key));
}

/** Return the message under a cosignature. */
export function cosigned(time, body) {
  return joined(utf8(`cosignature/v1\ntime ${time}\n`), utf8(body));
}
