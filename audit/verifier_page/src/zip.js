// A bundle in one .zip file: its directory, and its entries as Blobs.
import { Flaw } from "./bytes.js";
import { inflated } from "./inflate.js";
import { readRange } from "./lines.js";

const END = 0x06054b50, END_64 = 0x06064b50, LOCATOR_64 = 0x07064b50, ENTRY = 0x02014b50, LOCAL = 0x04034b50;
const END_SIZE = 22, LOCATOR_SIZE = 20, END_64_SIZE = 56, ENTRY_SIZE = 46, LOCAL_SIZE = 30;
const LONGEST_COMMENT = 65535;
const FULL_16 = 0xffff, FULL_32 = 0xffffffff; // stands for "see the 64-bit field"
const ENCRYPTED = 1, STORED = 0, DEFLATED = 8;

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const refuse = (name, what) => new Flaw(name, what);

/** Return {count, size, offset} of the central directory. */
async function findDirectory(blob, name) {
  const from = Math.max(0, blob.size - END_SIZE - LONGEST_COMMENT);
  const view = viewOf(await readRange(blob, from, blob.size));
  let at = view.byteLength - END_SIZE;
  while (at >= 0 && view.getUint32(at, true) !== END) at -= 1;
  if (at < 0) throw refuse(name, "is no .zip file");
  const short = { count: view.getUint16(at + 10, true), size: view.getUint32(at + 12, true), offset: view.getUint32(at + 16, true) };
  const needs64 = short.count === FULL_16 || short.size === FULL_32 || short.offset === FULL_32;
  return needs64 ? findDirectory64(blob, from + at, name) : short;
}

async function findDirectory64(blob, end, name) {
  const locator = viewOf(await readRange(blob, Math.max(0, end - LOCATOR_SIZE), end));
  if (locator.byteLength < LOCATOR_SIZE || locator.getUint32(0, true) !== LOCATOR_64) throw refuse(name, "is a damaged .zip file");
  const at = Number(locator.getBigUint64(8, true));
  const view = viewOf(await readRange(blob, at, at + END_64_SIZE));
  if (view.byteLength < END_64_SIZE || view.getUint32(0, true) !== END_64) throw refuse(name, "is a damaged .zip file");
  const number = (offset) => Number(view.getBigUint64(offset, true));
  return { count: number(32), size: number(40), offset: number(48) };
}

/** Put the 64-bit values of an entry's extra field where the short ones are full. */
function widen(entry, extra) {
  for (let at = 0; at + 4 <= extra.byteLength;) {
    const [id, size] = [extra.getUint16(at, true), extra.getUint16(at + 2, true)];
    let field = at + 4;
    at = field + size;
    if (id !== 1) continue;
    for (const member of ["size", "packed", "offset"]) {
      if (entry[member] !== FULL_32 || field + 8 > extra.byteLength) continue;
      entry[member] = Number(extra.getBigUint64(field, true));
      field += 8;
    }
  }
}

/** Return the entry at `at` of the central directory, and where the next one begins. */
function readEntry(bytes, at, name) {
  const view = viewOf(bytes);
  if (at + ENTRY_SIZE > bytes.length || view.getUint32(at, true) !== ENTRY) throw refuse(name, "is a damaged .zip file");
  const [nameSize, extraSize, noteSize] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
  const nameEnd = at + ENTRY_SIZE + nameSize, extraEnd = nameEnd + extraSize;
  if (extraEnd > bytes.length) throw refuse(name, "is a damaged .zip file");
  const entry = {
    path: new TextDecoder().decode(bytes.subarray(at + ENTRY_SIZE, nameEnd)),
    flags: view.getUint16(at + 8, true), method: view.getUint16(at + 10, true),
    packed: view.getUint32(at + 20, true), size: view.getUint32(at + 24, true), offset: view.getUint32(at + 42, true),
  };
  widen(entry, viewOf(bytes.subarray(nameEnd, extraEnd)));
  return [entry, extraEnd + noteSize];
}

async function packedBlob(blob, entry) {
  const view = viewOf(await readRange(blob, entry.offset, entry.offset + LOCAL_SIZE));
  if (view.byteLength < LOCAL_SIZE || view.getUint32(0, true) !== LOCAL) throw refuse(entry.path, "its place in the .zip file is damaged");
  const start = entry.offset + LOCAL_SIZE + view.getUint16(26, true) + view.getUint16(28, true);
  return blob.slice(start, start + entry.packed);
}

/** Return the browser's own decompression of bare DEFLATE data, or null where it has none. */
function rawStream() {
  try {
    return new DecompressionStream("deflate-raw");
  } catch { // there is none, or one of an earlier kind
    return null;
  }
}

/** Decompress by the browser's own stream; the pieces become a Blob that it may keep on disk. */
async function unpackByStream(packed, entry, stream) {
  const reader = packed.stream().pipeThrough(stream).getReader();
  const pieces = [];
  let size = 0;
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    size += step.value.length;
    if (size > entry.size) throw refuse(entry.path, "is larger than the .zip file says");
    pieces.push(new Blob([step.value]));
  }
  return new Blob(pieces);
}

async function unpackAlone(packed, entry) {
  const pieces = [];
  let size = 0;
  for (const piece of inflated(new Uint8Array(await packed.arrayBuffer()))) {
    size += piece.length;
    if (size > entry.size) throw refuse(entry.path, "is larger than the .zip file says");
    pieces.push(new Blob([piece]));
  }
  return new Blob(pieces);
}

async function unpack(blob, entry) {
  const { path, method } = entry;
  if (entry.flags & ENCRYPTED) throw refuse(path, "is encrypted in the .zip file");
  const packed = await packedBlob(blob, entry);
  if (method === STORED) return packed;
  if (method !== DEFLATED) throw refuse(path, `is packed by method ${method}; this page knows stored and deflate`);
  const stream = rawStream();
  try {
    return await (stream ? unpackByStream(packed, entry, stream) : unpackAlone(packed, entry));
  } catch (error) {
    throw error instanceof Flaw ? error : refuse(path, "cannot be unpacked: the .zip file is damaged");
  }
}

/** Return Map of path to Blob of a .zip file's entries; `progress(share)` runs from 0 to 1. */
export async function readZip(blob, name, progress) {
  const { count, size, offset } = await findDirectory(blob, name);
  const bytes = await readRange(blob, offset, offset + size);
  const files = new Map();
  for (let i = 0, at = 0, entry; i < count; i++) {
    [entry, at] = readEntry(bytes, at, name);
    await progress(i / count);
    if (entry.path.endsWith("/")) continue;
    if (files.has(entry.path)) throw refuse(entry.path, "stands twice in the .zip file");
    const file = await unpack(blob, entry);
    if (file.size !== entry.size) throw refuse(entry.path, "has not the size that the .zip file says");
    files.set(entry.path, file);
  }
  return files;
}
