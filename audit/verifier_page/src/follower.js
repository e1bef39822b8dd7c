// Checkpoints beside the blocks: each is met at the block it names.
import { Flaw, NEWLINE, joined, sameBytes, utf8 } from "./bytes.js";
import { parseCanonical } from "./json.js";
import { checkSignatures, readCheckpoint } from "./note.js";
import { KeyTurns } from "./turning.js";
import { checkQuorum, trustedAtStart } from "./trust.js";

const LONGEST_NOTE = 1024 * 1024; // bytes
const PART = 65536; // bytes read at once

/** Return the first line of the checkpoints of a block. */
function originLine(header) {
  return header.epoch === 0 ? header.origin : `${header.origin}/epoch/${header.epoch}`;
}

/** Throw Flaw unless a checkpoint states this block. */
export function checkStatement(checkpoint, header, hash) {
  const stated = [checkpoint.origin, checkpoint.size, checkpoint.root, checkpoint.number, checkpoint.hash];
  const due = [originLine(header), header.tree_size, header.root, header.number, hash];
  ["origin", "tree size", "root", "block number", "block hash"].forEach((name, i) => {
    if (stated[i] === due[i]) return;
    throw new Flaw(checkpoint.place, `${name} is ${stated[i]}; block ${header.number} has ${due[i]}`);
  });
}

/** Follows checkpoints.jsonl and the trusted checkpoints through the chain. */
export class CheckpointFollower {
  constructor({ reader, claimed, ring, trust, origin, tokens }) {
    Object.assign(this, { reader, claimed, ring, trust, tokens });
    const trusted = trust && trustedAtStart(trust, ring, claimed, origin);
    this.origin = origin;
    this.turns = new KeyTurns(trusted);
    this.waiting = trust ? [...trust.checkpoints] : []; // trusted ones whose block has not come yet
    this.signers = new Map(); // key -> {count, first, last} for the report
    this.witnesses = new Map(); // key -> {count, time}
    this.pending = null;
    this.last = null;
    this.count = 0;
  }

  async advance() {
    const line = await this.reader.next();
    if (line === null) {
      this.pending = null;
      return;
    }
    const place = this.reader.place;
    this.pending = readCheckpoint(parseCanonical(line.subarray(0, -1), place), place);
    if (this.last && this.pending.number <= this.last.number) {
      throw new Flaw(place, `names block ${this.pending.number} after block ${this.last.number}`);
    }
  }

  /** Take one block of the chain. */
  async pass(header, hash) {
    this.waiting = this.waiting.filter((checkpoint) => {
      if (checkpoint.number !== header.number) return true;
      checkStatement(checkpoint, header, hash);
      const signed = checkSignatures(checkpoint, this.ring).ledger;
      if (signed.length) this.turns.pass(signed.map((key) => key.label), checkpoint);
      return false;
    });
    if (this.count === 0 && this.pending === null) await this.advance();
    if (this.pending === null || this.pending.number !== header.number) return;
    checkStatement(this.pending, header, hash);
    await this.accept(this.pending);
    await this.advance();
  }

  async accept(checkpoint) {
    const signed = checkSignatures(checkpoint, this.ring);
    const ours = signed.ledger;
    if (!ours.some((key) => this.claimed.has(key))) {
      throw new Flaw(checkpoint.place, "is signed by no key of keys.txt");
    }
    this.turns.pass(ours.map((key) => key.label), checkpoint);
    ours.forEach((key) => this.note(this.signers, key, checkpoint, null));
    signed.witnesses.forEach(({ key, time }) => this.note(this.witnesses, key, checkpoint, time));
    await this.checkToken(checkpoint);
    await this.reader.progress(0, this.reader.name); // signatures take time without reading
    this.count += 1;
    this.last = { ...checkpoint, signed, signers: ours.map((key) => key.label) };
  }

  note(book, key, checkpoint, time) {
    const entry = book.get(key) || { count: 0, first: checkpoint.number };
    book.set(key, { ...entry, count: entry.count + 1, last: checkpoint.number, time });
  }

  /** tokens/<size>.txt must be the body of the checkpoint of this size. */
  async checkToken(checkpoint) {
    const name = `${checkpoint.size}`;
    const text = this.tokens.get(name);
    if (!text) return;
    this.tokens.delete(name);
    const bytes = text.size > 65536 ? null : new Uint8Array(await text.arrayBuffer());
    if (bytes === null || !sameBytes(bytes, utf8(checkpoint.body))) {
      throw new Flaw(`tokens/${name}.txt`, `is not the body of the checkpoint of ${name} records`);
    }
  }

  /** After the last block: nothing may be left, and the last checkpoint ends the bundle. */
  finish(header, size) {
    if (this.pending) throw new Flaw(this.pending.place, `names block ${this.pending.number}, which is not there`);
    if (!this.last) throw new Flaw("checkpoints.jsonl", "holds no checkpoint of these blocks");
    const { place } = this.last;
    if (this.last.number !== header.number) {
      throw new Flaw(place, `is the last, but the blocks go on after block ${this.last.number}`);
    }
    if (this.last.size !== size) throw new Flaw(place, `covers ${this.last.size} records, the manifest says ${size}`);
    for (const checkpoint of this.waiting) {
      throw new Flaw(checkpoint.place, `this trusted checkpoint names block ${checkpoint.number} and ${checkpoint.size} records; the bundle ends at block ${header.number} with ${size}: it is older, or its end was cut off`);
    }
    for (const name of this.tokens.keys()) {
      throw new Flaw(`tokens/${name}.txt`, `no checkpoint of the bundle has ${name} records`);
    }
    this.turns.checkTrusted(this.last.signers, place);
    checkQuorum(this.trust, this.last.signed, place);
  }
}

/** Return the last checkpoint of a file, which may be long. */
export async function lastCheckpoint(blob) {
  let tail = new Uint8Array(0), lines = 0;
  for (let start = 0; start < blob.size; start += PART) {
    const part = new Uint8Array(await blob.slice(start, start + PART).arrayBuffer());
    lines += part.reduce((sum, byte) => sum + (byte === NEWLINE[0] ? 1 : 0), 0);
    tail = joined(tail, part).subarray(-LONGEST_NOTE);
  }
  const place = `checkpoints.jsonl line ${Math.max(lines, 1)}`;
  const cut = tail.lastIndexOf(NEWLINE[0], tail.length - 2);
  return readCheckpoint(parseCanonical(tail.subarray(cut + 1, -1), place), place);
}
