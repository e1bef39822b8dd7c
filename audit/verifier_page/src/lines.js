// A file read line by line in chunks, digested on the way; never held whole.
import { Flaw, joined } from "./bytes.js";
import { Sha256 } from "./sha256.js";

const CHUNK = 1024 * 1024; // bytes read at once

/** Return the bytes of a file from `start` to `end`. */
export async function readRange(blob, start, end) {
  return new Uint8Array(await blob.slice(start, end).arrayBuffer());
}

/** Reads one file; `longest` bounds a line, its newline apart. */
export class LineReader {
  constructor(blob, name, longest, progress) {
    Object.assign(this, { blob, name, longest, progress });
    this.read = 0; // bytes taken from the file
    this.chunk = new Uint8Array(0);
    this.at = 0; // of the next line in the chunk
    this.number = 0; // of the line given last, from 1
    this.start = 0; // of the line given last, in the file
    this.hash = new Sha256();
  }

  get place() {
    return `${this.name} line ${this.number}`;
  }

  /** Return the next line with its newline if it lies in the chunk already, else null. */
  take() {
    const end = this.chunk.indexOf(0x0a, this.at);
    if (end < 0) return null;
    const line = this.chunk.subarray(this.at, end + 1);
    this.start = this.read - this.chunk.length + this.at;
    this.at = end + 1;
    this.number += 1;
    if (line.length - 1 > this.longest) throw this.tooLong();
    return line;
  }

  /** Return the next line with its newline, or null at the end of the file. */
  async next() {
    for (;;) {
      const line = this.take();
      if (line !== null) return line;
      const rest = this.chunk.subarray(this.at);
      if (rest.length > this.longest) {
        this.number += 1;
        throw this.tooLong();
      }
      if (this.read === this.blob.size) {
        if (rest.length) throw new Flaw(`${this.name} line ${this.number + 1}`, "does not end with a newline");
        return null;
      }
      const fresh = await this.fetch();
      this.chunk = rest.length ? joined(rest, fresh) : fresh;
      this.at = 0;
    }
  }

  async fetch() {
    const fresh = await readRange(this.blob, this.read, Math.min(this.read + CHUNK, this.blob.size));
    if (fresh.length === 0) throw new Flaw(this.name, "could not be read to its end");
    this.read += fresh.length;
    this.hash.update(fresh);
    await this.progress(fresh.length, this.name);
    return fresh;
  }

  tooLong() {
    return new Flaw(this.place, `is longer than ${this.longest} bytes`);
  }

  /** Read on to the end and return the digest of the whole file in hex. */
  async digest() {
    this.chunk = new Uint8Array(0);
    while (this.read < this.blob.size) await this.fetch();
    return this.hash.hex();
  }
}
