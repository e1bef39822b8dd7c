// Bytes as text and text as bytes: hex, standard base64, UTF-8. Everything is strict.

/** What is wrong and where. The check throws it; the report prints it. */
export class Flaw extends Error {
  constructor(place, what) {
    super(`${place}: ${what}`);
    this.place = place;
    this.what = what;
  }
}

export const NEWLINE = new Uint8Array([0x0a]);

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const HASH_TEXT = /^[0-9a-f]{64}$/;
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_VALUE = new Map([...BASE64].map((sign, value) => [sign, value]));
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Return lower-case hex of bytes. */
export function hex(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += HEX[bytes[i]];
  return text;
}

/** Return whether a value is a SHA-256 digest written in lower-case hex. */
export function isHash(value) {
  return typeof value === "string" && HASH_TEXT.test(value);
}

/** Return the bytes of lower-case hex that `isHash` (or a like test) has admitted. */
export function fromHex(text) {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.substr(2 * i, 2), 16);
  return bytes;
}

/** Return the bytes of standard base64 with padding, or null unless it is the one right spelling. */
export function fromBase64(text) {
  if (text.length === 0 || text.length % 4 !== 0) return null;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let bits = 0, held = 0, at = 0;
  for (let i = 0; i < text.length - padding; i++) {
    const value = BASE64_VALUE.get(text[i]);
    if (value === undefined) return null;
    held = ((held << 6) | value) & 0xfff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = (held >> bits) & 0xff;
  }
  return (held & ((1 << bits) - 1)) === 0 ? bytes : null; // left-over bits must be zero
}

/** Return the UTF-8 bytes of a text. */
export function utf8(text) {
  return encoder.encode(text);
}

/** Return the text of UTF-8 bytes; throws Flaw where they are no UTF-8. */
export function textOf(bytes, place) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Flaw(place, "is not UTF-8");
  }
}

/** Join byte arrays. */
export function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Return whether two byte arrays hold the same bytes. */
export function sameBytes(left, right) {
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}
