// Headers in a chain: each continues the one before.
import { Flaw } from "./bytes.js";
import { checkHeaderForm, compareDecimals } from "./records.js";
import { sha256 } from "./sha256.js";

const BLOCK = new Uint8Array([2]);

/** What comes before block 0. */
export const GENESIS = {
  number: -1, hash: "0".repeat(64), tree_size: 0, epoch: 0, sealed_at: "", transaction_below: null,
};

/** Return SHA256(0x02 || header). */
export function blockHash(header) {
  return sha256(BLOCK, header);
}

function checkPosition(header, before, place) {
  const due = {
    number: before.number + 1, previous: before.hash, first_sequence: before.tree_size,
    tree_size: header.first_sequence + header.count,
  };
  for (const [name, value] of Object.entries(due)) {
    if (header[name] !== value) throw new Flaw(place, `${name} is ${header[name]} where ${value} is due`);
  }
  if (header.count < 1) throw new Flaw(place, "holds no record");
  if (header.sealed_at < before.sealed_at) throw new Flaw(place, "was sealed before the block before it");
}

/** A new epoch may bring another cluster and other transactions; within one they go on. */
function checkEpoch(header, before, place) {
  if (header.epoch === before.epoch + 1 && header.number > 0) return;
  if (header.epoch !== before.epoch) {
    throw new Flaw(place, `epoch ${header.epoch} does not follow ${before.epoch}`);
  }
  if (header.number === 0) return;
  for (const name of ["system_identifier", "timeline"]) {
    if (header[name] !== before[name]) throw new Flaw(place, `${name} changes within an epoch`);
  }
  if (header.transaction_from !== before.transaction_below) {
    throw new Flaw(place, "its transactions do not touch those of the block before");
  }
}

/** Throw Flaw unless the header continues the chain of the ledger of this origin. */
export function checkHeader(header, before, origin, place) {
  checkHeaderForm(header, place);
  if (header.origin !== origin) throw new Flaw(place, `origin is ${header.origin}, not ${origin}`);
  checkPosition(header, before, place);
  checkEpoch(header, before, place);
  if (compareDecimals(header.transaction_from, header.transaction_below) >= 0) {
    throw new Flaw(place, "its range of transactions is empty");
  }
}
