// The RFC 6962 tree: leaves, a root that grows, inclusion proofs.
import { Sha256 } from "./sha256.js";

const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);
const hasher = new Sha256();

/** Return SHA256(0x00 || payload). */
export function leafHash(payload) {
  return hasher.reset().update(LEAF).update(payload).digest();
}

/** Return SHA256(0x01 || left || right). */
export function nodeHash(left, right) {
  return hasher.reset().update(NODE).update(left).update(right).digest();
}

/** A tree that only grows; it keeps the roots of its full subtrees, never the leaves. */
export class GrowingTree {
  constructor() {
    this.size = 0;
    this.roots = []; // of full subtrees, widest first
  }

  push(leaf) {
    let node = leaf;
    for (let n = this.size; n % 2 === 1; n = Math.floor(n / 2)) node = nodeHash(this.roots.pop(), node);
    this.roots.push(node);
    this.size += 1;
  }

  /** Return the root over all leaves so far; there is at least one. */
  root() {
    return this.roots.reduceRight((right, left) => (right ? nodeHash(left, right) : left), null);
  }
}

/**
 * Return the root that an inclusion proof leads to (RFC 9162, 2.1.3.2 over the proofs of
 * RFC 6962, 2.1.1), or null when it has not exactly the hashes that index and size ask for.
 */
export function rootOfProof(leaf, index, size, hashes) {
  let node = leaf, at = index, last = size - 1;
  for (const hash of hashes) {
    if (last === 0) return null;
    if (at % 2 === 1 || at === last) {
      node = nodeHash(hash, node);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      node = nodeHash(node, hash);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 ? node : null;
}
