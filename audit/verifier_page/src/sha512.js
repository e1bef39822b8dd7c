// SHA-512 (FIPS 180-4) on halves of 32 bits; Ed25519 needs it.
import { joined } from "./bytes.js";
import { CUBE_ROOTS, SQUARE_ROOTS } from "./constants.js";

const SIGMAS = { // how far each of the four functions turns right; the last of a small one shifts
  S0: [28, 34, 39], S1: [14, 18, 41], s0: [1, 8, 7], s1: [19, 61, 6],
};

/** The upper and the lower half of a pair turned right by n bits. */
function turned(high, low, n) {
  if (n >= 32) [high, low, n] = [low, high, n - 32];
  if (n === 0) return [high, low];
  return [(high >>> n) | (low << (32 - n)), (low >>> n) | (high << (32 - n))];
}

function sigma(name, [high, low]) {
  const [first, second, third] = SIGMAS[name];
  const [a, b] = [turned(high, low, first), turned(high, low, second)];
  const shifted = [high >>> third, (low >>> third) | (high << (32 - third))];
  const c = name[0] === "s" ? shifted : turned(high, low, third);
  return [a[0] ^ b[0] ^ c[0], a[1] ^ b[1] ^ c[1]];
}

/** The sum of pairs modulo 2^64. */
function sum(...pairs) {
  let high = 0, low = 0;
  for (const pair of pairs) {
    low += pair[1] >>> 0;
    high += pair[0] >>> 0;
  }
  return [(high + Math.floor(low / 0x100000000)) | 0, low | 0];
}

const choose = (x, y, z) => [0, 1].map((i) => (x[i] & y[i]) ^ (~x[i] & z[i]));
const majority = (x, y, z) => [0, 1].map((i) => (x[i] & y[i]) ^ (x[i] & z[i]) ^ (y[i] & z[i]));

function schedule512(view, at) {
  const w = [];
  for (let i = 0; i < 16; i++) w.push([view.getInt32(at + 8 * i), view.getInt32(at + 8 * i + 4)]);
  for (let i = 16; i < 80; i++) {
    w.push(sum(w[i - 16], sigma("s0", w[i - 15]), w[i - 7], sigma("s1", w[i - 2])));
  }
  return w;
}

function mix512(state, view, at) {
  const w = schedule512(view, at);
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 80; i++) {
    const first = sum(h, sigma("S1", e), choose(e, f, g), CUBE_ROOTS[i], w[i]);
    const second = sum(sigma("S0", a), majority(a, b, c));
    [h, g, f, e, d, c, b, a] = [g, f, e, sum(d, first), c, b, a, sum(first, second)];
  }
  return [a, b, c, d, e, f, g, h].map((pair, i) => sum(pair, state[i]));
}

/** Return the SHA-512 of a short message (it is held whole; here a checkpoint's text). */
export function sha512(message) {
  const padding = new Uint8Array(((239 - (message.length % 128)) % 128) + 17);
  padding[0] = 0x80;
  const padded = joined(message, padding);
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 0x20000000));
  view.setUint32(padded.length - 4, (message.length * 8) % 0x100000000);
  let state = SQUARE_ROOTS;
  for (let at = 0; at < padded.length; at += 128) state = mix512(state, view, at);
  const out = new DataView(new ArrayBuffer(64));
  state.flat().forEach((half, i) => out.setInt32(4 * i, half));
  return new Uint8Array(out.buffer);
}
