// Decompression of DEFLATE (RFC 1951), for browsers without DecompressionStream.

const LENGTH_BASE = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
const DISTANCE_BITS = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LONGEST_CODE = 15;
const REACH = 32768; // bytes a match may lie back
const PIECE = 1024 * 1024; // bytes given at once
const LONGEST_BLOCK = 65536; // bytes that a stored block may add before a piece is given

class Damaged extends Error {}

/** Canonical Huffman code: how many codes of each length, and their symbols in order. */
function codeOf(lengths) {
  const counts = new Uint16Array(LONGEST_CODE + 1);
  for (const length of lengths) counts[length] += 1;
  counts[0] = 0;
  let left = 1;
  for (let length = 1; length <= LONGEST_CODE; length++) left = 2 * left - counts[length];
  const used = counts.reduce((sum, count) => sum + count, 0);
  if (left < 0 || (left > 0 && used > 1)) throw new Damaged("a code that is no Huffman code");
  const starts = new Uint16Array(LONGEST_CODE + 2);
  for (let length = 1; length <= LONGEST_CODE; length++) starts[length + 1] = starts[length] + counts[length];
  const symbols = new Uint16Array(lengths.length);
  lengths.forEach((length, symbol) => {
    if (length) symbols[starts[length]++] = symbol;
  });
  return { counts, symbols };
}

const fixedLengths = Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));
const FIXED = [codeOf(fixedLengths), codeOf(new Array(32).fill(5))];

class Inflater {
  constructor(bytes) {
    Object.assign(this, { bytes, at: 0, held: 0, bits: 0, out: new Uint8Array(PIECE + REACH + LONGEST_BLOCK), end: 0 });
  }

  take(count) {
    while (this.bits < count) {
      if (this.at === this.bytes.length) throw new Damaged("the data ends early");
      this.held |= this.bytes[this.at++] << this.bits;
      this.bits += 8;
    }
    const value = this.held & ((1 << count) - 1);
    this.held >>>= count;
    this.bits -= count;
    return value;
  }

  symbol({ counts, symbols }) {
    let code = 0, first = 0, index = 0;
    for (let length = 1; length <= LONGEST_CODE; length++) {
      code |= this.take(1);
      const count = counts[length];
      if (code - count < first) return symbols[index + code - first];
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw new Damaged("a code that stands for nothing");
  }

  /** Read the two codes of a block that brings its own. */
  ownCodes() {
    const [literals, distances, count] = [this.take(5) + 257, this.take(5) + 1, this.take(4) + 4];
    const short = new Array(19).fill(0);
    for (let i = 0; i < count; i++) short[LENGTH_ORDER[i]] = this.take(3);
    const code = codeOf(short), lengths = [];
    while (lengths.length < literals + distances) {
      const symbol = this.symbol(code);
      if (symbol < 16) lengths.push(symbol);
      else this.repeat(symbol, lengths);
    }
    if (lengths.length > literals + distances) throw new Damaged("more code lengths than announced");
    return [codeOf(lengths.slice(0, literals)), codeOf(lengths.slice(literals))];
  }

  repeat(symbol, lengths) {
    if (symbol === 16 && !lengths.length) throw new Damaged("nothing to repeat");
    const value = symbol === 16 ? lengths[lengths.length - 1] : 0;
    const times = symbol === 16 ? this.take(2) + 3 : symbol === 17 ? this.take(3) + 3 : this.take(7) + 11;
    for (let i = 0; i < times; i++) lengths.push(value);
  }

  /** Give a piece when enough has gathered, and keep what matches may still reach. */
  * given() {
    if (this.end < PIECE + REACH) return;
    yield this.out.slice(0, this.end - REACH);
    this.out.copyWithin(0, this.end - REACH, this.end);
    this.end = REACH;
  }

  * stored() {
    this.held = this.bits = 0;
    const { bytes } = this;
    if (this.at + 4 > bytes.length) throw new Damaged("the data ends early");
    const length = bytes[this.at] | (bytes[this.at + 1] << 8);
    const check = bytes[this.at + 2] | (bytes[this.at + 3] << 8);
    if ((length ^ 0xffff) !== check) throw new Damaged("a stored length that contradicts itself");
    this.at += 4;
    if (this.at + length > bytes.length) throw new Damaged("the data ends early");
    for (let i = 0; i < length; i++) this.out[this.end++] = bytes[this.at++];
    yield* this.given();
  }

  match(symbol, distances) {
    if (symbol > 28) throw new Damaged("an unknown length");
    const length = LENGTH_BASE[symbol] + this.take(LENGTH_BITS[symbol]);
    const code = this.symbol(distances);
    if (code > 29) throw new Damaged("an unknown distance");
    const back = DISTANCE_BASE[code] + this.take(DISTANCE_BITS[code]);
    if (back > this.end) throw new Damaged("a match from before the beginning");
    for (let i = 0; i < length; i++, this.end++) this.out[this.end] = this.out[this.end - back];
  }

  * coded([literals, distances]) {
    for (;;) {
      const symbol = this.symbol(literals);
      if (symbol === 256) return;
      if (symbol < 256) this.out[this.end++] = symbol;
      else this.match(symbol - 257, distances);
      if (this.end >= PIECE + REACH) yield* this.given();
    }
  }
}

/** Give the decompressed bytes piece by piece; throws Error for damaged data. */
export function* inflated(bytes) {
  const reader = new Inflater(bytes);
  for (let last = 0; !last;) {
    last = reader.take(1);
    const kind = reader.take(2);
    if (kind === 0) yield* reader.stored();
    else if (kind === 1) yield* reader.coded(FIXED);
    else if (kind === 2) yield* reader.coded(reader.ownCodes());
    else throw new Damaged("an unknown kind of block");
  }
  yield reader.out.slice(0, reader.end);
}
