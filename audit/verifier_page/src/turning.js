// Which ledger key is in force, which one was turned, and how trust passes between them.
import { Flaw } from "./bytes.js";

const MOST_SIGNERS = 2; // the key in force and the next one
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
    if (signers.length > MOST_SIGNERS) throw new Flaw(checkpoint.place, `more than ${MOST_SIGNERS} keys of the ledger signed it`);
    const live = minus(signers, this.turned);
    if (live.length === 0) {
      throw new Flaw(checkpoint.place, `${signers.join(", ")} signs alone after it was turned`);
    }
    this.settle(live);
    if (live.length === 1) this.inForce = live;
    else this.turn(live, checkpoint);
  }

  /** Of two keys that could be in force the one that signs on was the next, the other the former. */
  settle(live) {
    const stay = this.inForce.filter((label) => live.includes(label));
    if (stay.length !== 1) return;
    minus(this.inForce, new Set(stay)).forEach((label) => this.turned.add(label));
    this.inForce = stay;
  }

  /** Two keys sign: the key turns, and trust passes on from the former one, if it is known which that is. */
  turn(live, checkpoint) {
    const former = live.filter((label) => this.inForce.includes(label));
    const next = minus(live, new Set(former));
    const givers = former.length ? former : live;
    if (this.trusted && givers.some((label) => this.trusted.has(label))) {
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
