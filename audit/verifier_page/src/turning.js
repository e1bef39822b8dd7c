// Which ledger key is in force, which one was turned, and how trust passes between them.
import { Flaw } from "./bytes.js";

const minus = (labels, gone) => labels.filter((label) => !gone.has(label));

/** Follows the ledger's keys from checkpoint to checkpoint; keys are known by their labels. */
export class KeyTurns {
  constructor(trusted) {
    this.trusted = trusted; // Set of labels, or null where no trust was given
    this.inForce = []; // one key; more where it does not show yet which of them goes on
    this.turned = new Set();
    this.turns = []; // {number, from, to} for the report
  }

  /** Take the next checkpoint's signers; throws Flaw where a turned key signs without the next. */
  pass(signers, checkpoint) {
    const live = minus(signers, this.turned);
    if (live.length === 0) {
      throw new Flaw(checkpoint.place, `${signers.join(", ")} signs alone after it was turned`);
    }
    if (live.length === 1) this.settle(live[0]);
    else this.turn(live, checkpoint);
  }

  /** One key signs: of several that could be in force, the others are the former ones. */
  settle(label) {
    if (this.inForce.length > 1 && this.inForce.includes(label)) {
      this.inForce.filter((each) => each !== label).forEach((each) => this.turned.add(each));
    }
    this.inForce = [label];
  }

  /** Two keys (or more) sign: the key turns, and trust in one of them is trust in the other. */
  turn(live, checkpoint) {
    const former = live.filter((label) => this.inForce.includes(label));
    const next = live.filter((label) => !this.inForce.includes(label));
    if (this.trusted && live.some((label) => this.trusted.has(label))) {
      live.forEach((label) => this.trusted.add(label));
    }
    if (former.length === 0 || next.length === 0) {
      this.inForce = live;
      return;
    }
    former.forEach((label) => this.turned.add(label));
    this.inForce = next;
    this.turns.push({ number: checkpoint.number, from: former, to: next });
  }

  /** Throw Flaw unless one of the last checkpoint's signers is trusted. */
  checkTrusted(signers, place) {
    if (this.trusted === null || minus(signers, this.turned).some((label) => this.trusted.has(label))) return;
    const why = this.trusted.size ? `signed by ${signers.join(", ")}, by no trusted key`
      : "the trust file vouches for no key of this ledger";
    throw new Flaw(place, why);
  }
}
