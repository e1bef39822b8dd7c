// One check and the reading after it, asked for by messages: in a worker or on the page itself.
import { Flaw } from "./bytes.js";
import { takeIn } from "./intake.js";
import { searchRecords } from "./reading.js";
import { verifyBundle } from "./verify.js";

const SLICE = 40; // milliseconds of work before the page may breathe
const TELL = 100; // milliseconds between two reports of progress

/** Holds the bundle between messages. `tell(message)` sends one; `breathe` pauses the page. */
export class Session {
  constructor(tell, breathe) {
    Object.assign(this, { tell, breathe, files: null, walk: null });
    this.rested = this.told = 0;
  }

  async pause(message) {
    const now = Date.now();
    if (now - this.told >= TELL) {
      this.told = now;
      this.tell(message);
    }
    if (this.breathe === null || now - this.rested < SLICE) return;
    await this.breathe();
    this.rested = Date.now();
  }

  /** Check {list, trust}: files as {path, file}, and the trust file's text or null. */
  async check({ list, trust }) {
    const opened = await takeIn(list, (share) => this.pause({ kind: "progress", share, path: "opening the .zip file" }));
    const total = [...opened.files.values()].reduce((sum, blob) => sum + blob.size, 1);
    let read = 0;
    const progress = (bytes, path) => {
      read += bytes;
      return this.pause({ kind: "progress", share: Math.min(1, read / total), path });
    };
    const { result, walk } = await verifyBundle(opened.files, trust, progress);
    if (opened.outside) result.notices.push(`${opened.outside} files beside the bundle's folder were not looked at`);
    const readable = result.verdict !== "flaw";
    Object.assign(this, { files: readable ? opened.files : null, walk: readable ? walk : null });
    this.tell({ kind: "result", result, name: opened.name });
  }

  async search(request) {
    if (this.walk === null) return;
    const progress = (at, all) => this.pause({ kind: "searching", ticket: request.ticket, at, all });
    const found = await searchRecords(this.files, this.walk, request, progress);
    this.tell({ kind: "found", ticket: request.ticket, ...found });
  }

  /** Do what a message asks; what cannot be read is told, never swallowed. */
  async take(message) {
    try {
      if (message.kind === "check") await this.check(message);
      else await this.search(message);
    } catch (error) {
      const what = error.what || `${error.name}: ${error.message}`;
      this.tell({ kind: "failed", during: message.kind, place: error instanceof Flaw ? error.place : null, what });
    }
  }
}

/** Answer messages as a worker. */
export function serveAsWorker(scope) {
  const session = new Session((message) => scope.postMessage(message), null);
  scope.onmessage = (event) => session.take(event.data);
}
