// The walk through a bundle: block by block, its records, index lines, proofs and checkpoints.
import { Flaw, fromHex, hex, isHash } from "./bytes.js";
import { GENESIS, blockHash, checkHeader } from "./chain.js";
import { CheckpointFollower, lastCheckpoint } from "./follower.js";
import { checkMembers, parseCanonical } from "./json.js";
import { LineReader } from "./lines.js";
import { GrowingTree, leafHash, rootOfProof } from "./merkle.js";
import { checkSignatures } from "./note.js";
import { FORK, LARGEST_PAYLOAD, checkIndexLine, checkPayload, compareDecimals } from "./records.js";
import { Sha256 } from "./sha256.js";

const LONGEST_LINE = 1024 * 1024; // bytes of a line that is no payload
const DEEPEST_PROOF = 53; // a tree of 2^53 records

/** Where lines begin in a file, for reading them again; grows as needed. */
export class Offsets {
  constructor() {
    this.values = new Float64Array(1024);
    this.length = 0;
  }

  push(value) {
    if (this.length === this.values.length) {
      const wider = new Float64Array(2 * this.length);
      wider.set(this.values);
      this.values = wider;
    }
    this.values[this.length++] = value;
  }
}

/** What one block's lines add up to while they are read. */
class BlockSums {
  /** `rises`: whether the block opens an epoch, and so holds a fork record. */
  constructor(header, place, rises) {
    Object.assign(this, { header, place, rises });
    this.index = new Sha256();
    this.records = new Sha256();
    this.shown = 0; // records of the block that the bundle shows
    this.forks = 0;
    this.before = null; // the index line before
  }

  /** The order of (transaction, id), and the block's range of transactions. */
  addIndex(line, bytes, place) {
    const { header, before } = this;
    const { transaction, id } = line;
    if (compareDecimals(transaction, header.transaction_from) < 0
      || compareDecimals(transaction, header.transaction_below) >= 0) {
      throw new Flaw(place, `transaction ${transaction} is not of block ${header.number}`);
    }
    const order = before ? compareDecimals(before.transaction, transaction) : -1;
    if (order > 0 || (order === 0 && before.id >= id)) {
      throw new Flaw(place, "is not after the line before, by transaction and id");
    }
    this.before = line;
    this.index.update(bytes);
  }

  addRecord(payload, bytes, place) {
    this.shown += 1;
    this.records.update(bytes);
    if (payload.kind !== FORK) return;
    this.forks += 1;
    if (!this.rises || this.forks > 1) throw new Flaw(place, "is a fork record, but opens no epoch");
  }

  /** Compare with the header. */
  check() {
    const { header, place } = this;
    const whole = this.shown === header.count;
    if (this.index.hex() !== header.index_digest) throw new Flaw(place, "index_digest does not fit its index lines");
    if (whole && this.records.hex() !== header.records_digest) {
      throw new Flaw(place, "records_digest does not fit its records");
    }
    if (whole && this.rises && this.forks === 0) throw new Flaw(place, `opens epoch ${header.epoch}, but holds no fork record`);
  }
}

/** Reads the .jsonl files side by side; `run` throws the first Flaw that it meets. */
export class Walk {
  constructor({ files, manifest, claimed, ring, trust, progress, counts }) {
    Object.assign(this, { files, manifest, claimed, ring, trust, counts });
    this.readers = {};
    for (const name of ["records", "index", "blocks", "checkpoints", "proofs"]) {
      const path = `${name}.jsonl`, longest = name === "records" ? LARGEST_PAYLOAD : LONGEST_LINE;
      const wanted = path in manifest.files && files.has(path);
      if (wanted) this.readers[name] = new LineReader(files.get(path), path, longest, progress);
    }
    this.tree = new GrowingTree();
    this.cited = new Set();
    this.offsets = { records: new Offsets(), index: new Offsets() };
    this.headers = { first: null, last: null };
    this.indexed = null; // the next index line, read ahead
    this.proof = null; // the next proof, read ahead
    this.finished = false; // whether nothing stopped the walk
  }

  async run() {
    const { manifest, readers } = this;
    const selection = manifest.scope === "selection";
    const tokens = new Map([...this.files].flatMap(([path, blob]) => {
      const found = /^tokens\/(0|[1-9][0-9]*)\.txt$/.exec(path);
      return found && path in manifest.files ? [[found[1], blob]] : [];
    }));
    const { claimed, ring, trust } = this;
    this.follower = new CheckpointFollower({
      reader: readers.checkpoints, claimed, ring, trust, origin: manifest.origin, tokens,
    });
    if (selection) await this.prepareSelection();
    const before = await this.walkBlocks(selection);
    if (before === GENESIS) throw new Flaw("blocks.jsonl", "holds no block");
    await this.checkEnds(selection);
    this.follower.finish(before, manifest.tree_size);
    if (selection && this.goal.body !== this.follower.last.body) {
      throw new Flaw("checkpoints.jsonl", "changed while it was read");
    }
    this.finished = true;
  }

  async walkBlocks(selection) {
    let before = GENESIS;
    const { blocks } = this.readers;
    for (let line = await blocks.next(); line !== null; line = blocks.take() || await blocks.next()) {
      const place = `${blocks.place} (block ${before.number + 1})`;
      const header = parseCanonical(line.subarray(0, -1), place);
      checkHeader(header, before, this.manifest.origin, place);
      const rises = header.epoch > before.epoch;
      await (selection ? this.walkSelected(header, place, rises) : this.walkWhole(header, place, rises));
      header.hash = hex(blockHash(line.subarray(0, -1)));
      await this.follower.pass(header, header.hash);
      before = header;
      this.headers.first = this.headers.first || header;
      this.headers.last = header;
      this.counts.blocks += 1;
    }
    return before;
  }

  /** A complete bundle: every record of the block, and the tree's root after it. */
  async walkWhole(header, place, rises) {
    const { records, index } = this.readers;
    const sums = new BlockSums(header, place, rises);
    for (let i = 0; i < header.count; i++) {
      const sequence = header.first_sequence + i;
      const line = index.take() || await index.next();
      if (line === null) throw new Flaw("index.jsonl, at its end", `ends before sequence ${sequence} of block ${header.number}`);
      const known = this.indexLine(line, sequence, sums);
      const bytes = records.take() || await records.next();
      if (bytes === null) throw new Flaw("records.jsonl, at its end", `ends before sequence ${sequence} of block ${header.number}`);
      this.offsets.index.push(index.start);
      this.tree.push(this.record(bytes, known, sums));
    }
    sums.check();
    if (hex(this.tree.root()) !== header.root) throw new Flaw(place, "root is not that of the leaves so far");
    this.counts.roots += 1;
  }

  /** Check one index line's form and order; return it. */
  indexLine(line, sequence, sums) {
    const place = `${this.readers.index.place} (sequence ${sequence}, block ${sums.header.number})`;
    const known = parseCanonical(line.subarray(0, -1), place);
    checkIndexLine(known, sequence, place);
    sums.addIndex(known, line, place);
    this.counts.index += 1;
    return known;
  }

  /** Check one payload against its index line; return the leaf. */
  record(bytes, known, sums) {
    const { records } = this.readers;
    const place = `${records.place} (sequence ${known.sequence}, block ${sums.header.number})`;
    const payload = bytes.subarray(0, -1);
    const leaf = leafHash(payload);
    if (hex(leaf) !== known.leaf) throw new Flaw(place, "the record is not the one of its index line: its leaf differs");
    const value = parseCanonical(payload, place);
    checkPayload(value, place);
    this.note(value, place);
    sums.addRecord(value, bytes, place);
    this.offsets.records.push(records.start);
    this.counts.records += 1;
    return leaf;
  }

  note(value, place) {
    for (const hash of value.blobs) {
      if (!this.cited.has(hash) && !this.files.has(`blobs/${hash}`)) {
        throw new Flaw(place, `cites blob ${hash}, which is not there`);
      }
      this.cited.add(hash);
    }
  }

  /** Proofs lead to the root of the last checkpoint, so that is read ahead. */
  async prepareSelection() {
    this.goal = await lastCheckpoint(this.files.get("checkpoints.jsonl"));
    checkSignatures(this.goal, this.ring);
    const { size, place } = this.goal, stated = this.manifest.tree_size;
    if (size !== stated) throw new Flaw(place, `covers ${size} records, the manifest says ${stated}`);
    await this.nextIndexed();
    await this.nextProof();
  }

  async nextIndexed() {
    const { index } = this.readers;
    const line = index.take() || await index.next();
    if (line === null) {
      this.indexed = null;
      return;
    }
    const value = parseCanonical(line.subarray(0, -1), index.place);
    this.indexed = { line, value, place: index.place, start: index.start };
  }

  async nextProof() {
    const { proofs } = this.readers;
    const line = proofs.take() || await proofs.next();
    if (line === null) {
      this.proof = null;
      return;
    }
    const proof = parseCanonical(line.subarray(0, -1), proofs.place);
    checkMembers(proof, ["hashes", "sequence"], proofs.place);
    const { hashes, sequence } = proof;
    if (!Number.isInteger(sequence) || !Array.isArray(hashes) || hashes.length > DEEPEST_PROOF || !hashes.every(isHash)) {
      throw new Flaw(proofs.place, "is no proof: hashes and a sequence");
    }
    if (this.proof && sequence <= this.proof.sequence) {
      throw new Flaw(proofs.place, `sequence ${sequence} does not come after ${this.proof.sequence}`);
    }
    this.proof = { ...proof, place: `${proofs.place} (sequence ${sequence})` };
  }

  /** A selection: index lines of the blocks that hold a selected record, and those records. */
  async walkSelected(header, place, rises) {
    if (this.indexed === null || this.indexed.value.sequence !== header.first_sequence) return;
    const sums = new BlockSums(header, place, rises);
    for (let i = 0; i < header.count; i++) {
      const sequence = header.first_sequence + i;
      if (this.indexed === null) throw new Flaw("index.jsonl, at its end", `ends before sequence ${sequence} of block ${header.number}`);
      const { line, value, place: where, start } = this.indexed;
      checkIndexLine(value, sequence, `${where} (block ${header.number})`);
      sums.addIndex(value, line, where);
      this.counts.index += 1;
      if (this.proof && this.proof.sequence === sequence) await this.selectedRecord(value, start, sums);
      await this.nextIndexed();
    }
    if (sums.shown === 0) {
      const due = this.proof ? `; the next is that of ${this.proof.place}` : "";
      throw new Flaw(place, `has index lines, but the selection shows none of its records${due}`);
    }
    sums.check();
  }

  async selectedRecord(known, start, sums) {
    const { records } = this.readers;
    const bytes = records.take() || await records.next();
    if (bytes === null) throw new Flaw("records.jsonl, at its end", `ends before the record of ${this.proof.place}`);
    const leaf = this.record(bytes, known, sums);
    this.offsets.index.push(start);
    const { sequence, hashes, place } = this.proof;
    const root = sequence < this.goal.size ? rootOfProof(leaf, sequence, this.goal.size, hashes.map(fromHex)) : null;
    if (root === null || hex(root) !== this.goal.root) {
      throw new Flaw(place, "the proof does not lead to the root of the last checkpoint");
    }
    this.counts.proofs += 1;
    await this.nextProof();
  }

  /** After the last block every file must be at its end. */
  async checkEnds(selection) {
    const { records, index } = this.readers;
    if (selection && this.indexed) throw new Flaw(this.indexed.place, "belongs to no block, or is out of order");
    if (!selection && await index.next() !== null) throw new Flaw(index.place, "is an index line too many");
    if (await records.next() !== null) throw new Flaw(records.place, "is a record too many");
    if (selection && this.proof) throw new Flaw(this.proof.place, "belongs to no index line, or is out of order");
  }
}
