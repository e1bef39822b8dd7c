// Ed25519 verification (RFC 8032, 5.1.7), strict: s below L, points in their one encoding,
// keys of small order refused, the equation without the cofactor.
import { joined, sameBytes } from "./bytes.js";
import { sha512 } from "./sha512.js";

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
const D2 = (2n * D) % P;
const ROOT_OF_MINUS_ONE = power(2n, (P - 1n) / 4n);
const IDENTITY = [0n, 1n, 1n, 0n]; // extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, T = XY/Z
const WINDOW = 4n;
const TABLES = new Map(); // a key's small multiples, by its encoding

function mod(x) {
  const rest = x % P;
  return rest < 0n ? rest + P : rest;
}

function power(x, exponent) {
  let result = 1n;
  for (let e = exponent, square = x; e > 0n; e >>= 1n, square = (square * square) % P) {
    if (e & 1n) result = (result * square) % P;
  }
  return result;
}

/** The little-endian number in bytes. */
function numberOf(bytes) {
  let n = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) n = (n << 8n) | BigInt(bytes[i]);
  return n;
}

/** Sum of two points (RFC 8032, 5.1.4); complete, so right for equal points and the identity. */
function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = ((y1 - x1) * (y2 - x2)) % P;
  const b = ((y1 + x1) * (y2 + x2)) % P;
  const c = (((t1 * D2) % P) * t2) % P;
  const d = (2n * z1 * z2) % P;
  const e = b - a, f = d - c, g = d + c, h = b + a;
  return [(e * f) % P, (g * h) % P, (f * g) % P, (e * h) % P];
}

/** A point doubled (RFC 8032, 5.1.4). */
function double([x, y, z]) {
  const a = (x * x) % P;
  const b = (y * y) % P;
  const h = a + b;
  const e = h - (x + y) * (x + y);
  const g = a - b;
  const f = 2n * z * z + g;
  const [er, fr, gr] = [e % P, f % P, g % P];
  return [(er * fr) % P, (gr * h) % P, (fr * gr) % P, (er * h) % P];
}

function negated([x, y, z, t]) {
  return [-x, y, z, -t];
}

/** Return the point of 32 bytes, or null unless they are its one right encoding (5.1.3). */
function decoded(bytes) {
  const whole = numberOf(bytes);
  const sign = whole >> 255n;
  const y = whole & ((1n << 255n) - 1n);
  if (y >= P) return null;
  const u = mod(y * y - 1n), v = mod(D * y * y + 1n);
  const v3 = (v * v * v) % P;
  let x = (u * v3 * power((u * v3 * v3 * v) % P, (P - 5n) / 8n)) % P;
  const check = (v * x * x) % P;
  if (check === mod(-u)) x = (x * ROOT_OF_MINUS_ONE) % P;
  else if (check !== u) return null;
  if (x === 0n && sign === 1n) return null;
  if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, (x * y) % P];
}

function encoded([x, y, z]) {
  const inverse = power(mod(z), P - 2n);
  let n = mod(y * inverse) | ((mod(x * inverse) & 1n) << 255n);
  const bytes = new Uint8Array(32);
  for (let i = 0; i < 32; i++, n >>= 8n) bytes[i] = Number(n & 0xffn);
  return bytes;
}

function isSmallOrder(point) {
  const [x, y, z] = double(double(double(point)));
  return mod(x) === 0n && mod(y - z) === 0n;
}

/** The multiples 0 to 15 of a point. */
function multiples(point) {
  const table = [IDENTITY];
  while (table.length < 16) table.push(add(table[table.length - 1], point));
  return table;
}

/** Return the multiples of a key's negative point, or null when the key must be refused. */
function tableOf(key) {
  const name = key.join();
  if (!TABLES.has(name)) {
    const point = key.length === 32 ? decoded(key) : null;
    TABLES.set(name, point && !isSmallOrder(point) ? multiples(negated(point)) : null);
  }
  return TABLES.get(name);
}

const BASE = multiples(decoded(joined(new Uint8Array([0x58]), new Uint8Array(31).fill(0x66))));

/** Return whether a signature of 64 bytes is the key's over the message. */
export function verifyEd25519(key, message, signature) {
  const table = tableOf(key);
  if (table === null || signature.length !== 64) return false;
  const r = signature.subarray(0, 32);
  const s = numberOf(signature.subarray(32));
  if (s >= L) return false;
  const k = numberOf(sha512(joined(r, key, message))) % L;
  let sum = IDENTITY; // s B - k A, both scalars four bits at a time
  for (let shift = 252n; shift >= 0n; shift -= WINDOW) {
    sum = double(double(double(double(sum))));
    sum = add(sum, BASE[Number((s >> shift) & 15n)]);
    sum = add(sum, table[Number((k >> shift) & 15n)]);
  }
  return sameBytes(encoded(sum), r);
}
