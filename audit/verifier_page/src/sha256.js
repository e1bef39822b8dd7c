// SHA-256 (FIPS 180-4), fed piece by piece.
import { hex } from "./bytes.js";
import { CUBE_ROOTS, SQUARE_ROOTS } from "./constants.js";

const K256 = Int32Array.from(CUBE_ROOTS.slice(0, 64), ([upper]) => upper);
const START256 = Int32Array.from(SQUARE_ROOTS, ([upper]) => upper);
const W256 = new Int32Array(64); // the message schedule; nothing here runs twice at once

/** Mix one 64-byte block, at `at` of bytes, into the state. */
function mix256(state, bytes, at) {
  const w = W256;
  for (let i = 0; i < 16; i++, at += 4) {
    w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  }
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15], y = w[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
  }
  let a = state[0], b = state[1], c = state[2], d = state[3];
  let e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const first = (h + s1 + (g ^ (e & (f ^ g))) + K256[i] + w[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const second = (s0 + ((a & b) | (c & (a | b)))) | 0;
    h = g; g = f; f = e; e = (d + first) | 0;
    d = c; c = b; b = a; a = (first + second) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d;
  state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

/** A digest in the making: `update` as often as wanted, then `digest` or `hex` once. */
export class Sha256 {
  constructor() {
    this.state = new Int32Array(8);
    this.rest = new Uint8Array(64);
    this.reset();
  }

  reset() {
    this.state.set(START256);
    this.held = 0; // bytes waiting in rest
    this.length = 0; // bytes fed so far
    return this;
  }

  update(bytes) {
    let at = 0;
    this.length += bytes.length;
    if (this.held > 0) {
      at = Math.min(64 - this.held, bytes.length);
      this.rest.set(bytes.subarray(0, at), this.held);
      this.held += at;
      if (this.held < 64) return this;
      mix256(this.state, this.rest, 0);
      this.held = 0;
    }
    for (; at + 64 <= bytes.length; at += 64) mix256(this.state, bytes, at);
    for (; at < bytes.length; at++) this.rest[this.held++] = bytes[at];
    return this;
  }

  digest() {
    const rest = this.rest;
    rest[this.held++] = 0x80;
    if (this.held > 56) {
      rest.fill(0, this.held);
      mix256(this.state, rest, 0);
      this.held = 0;
    }
    rest.fill(0, this.held);
    const end = new DataView(rest.buffer);
    end.setUint32(56, Math.floor(this.length / 0x20000000)); // the length in bits, 64 bits wide
    end.setUint32(60, (this.length * 8) % 0x100000000);
    mix256(this.state, rest, 0);
    const out = new DataView(new ArrayBuffer(32));
    for (let i = 0; i < 8; i++) out.setInt32(4 * i, this.state[i]);
    return new Uint8Array(out.buffer);
  }

  hex() {
    return hex(this.digest());
  }
}

/** Return the SHA-256 of the pieces joined. */
export function sha256(...pieces) {
  const hash = new Sha256();
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}
