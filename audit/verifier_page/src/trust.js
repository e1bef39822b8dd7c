// The trust file: what the auditor knows from elsewhere.
import { Flaw, utf8 } from "./bytes.js";
import { parseCanonical } from "./json.js";
import { LEDGER, KeyRing, WITNESS, looksLikeKey, readKey } from "./keys.js";
import { checkSignatures, readCheckpoint } from "./note.js";

export const TRUST_FILE = "trust file";
const QUORUM = /^quorum ([1-9][0-9]{0,3})$/;
const BODY_LINES = 4;

/** Take the lines of one note from the front of `lines`; they begin at line `first`. */
function takeNote(lines, first) {
  const place = `${TRUST_FILE} line ${first}`;
  let end = BODY_LINES + 1;
  while (end < lines.length && lines[end].startsWith("\u2014 ")) end += 1;
  if (lines.length < BODY_LINES + 2 || lines[BODY_LINES] !== "" || end === BODY_LINES + 1) {
    throw new Flaw(place, "is neither a key, a quorum, a checkpoint nor a comment");
  }
  return { checkpoint: readCheckpoint(`${lines.slice(0, end).join("\n")}\n`, place), end };
}

/** Add what one line says to the trust; return how many lines were used. */
function takeLine(trust, lines, at) {
  const line = lines[at], place = `${TRUST_FILE} line ${at + 1}`;
  if (line === "" || line.startsWith("#")) return 1;
  const quorum = QUORUM.exec(line);
  if (quorum) {
    if (trust.quorum !== null) throw new Flaw(place, "asks for a quorum a second time");
    trust.quorum = Number(quorum[1]);
  } else if (line.startsWith('"')) {
    trust.checkpoints.push(readCheckpoint(parseCanonical(utf8(line), place), place));
  } else if (looksLikeKey(line)) {
    const key = readKey(line, place);
    if (key) trust.ring.add(key, place);
  } else {
    const { checkpoint, end } = takeNote(lines.slice(at), at + 1);
    trust.checkpoints.push(checkpoint);
    return end;
  }
  return 1;
}

/** Return {ring, checkpoints, quorum} of a trust file's text. Windows line ends are taken as well. */
export function readTrust(text) {
  const trust = { ring: new KeyRing(), checkpoints: [], quorum: null };
  const lines = text.replace(/^\ufeff/, "").replace(/\r\n/g, "\n").split("\n");
  for (let at = 0; at < lines.length;) at += takeLine(trust, lines, at);
  if (trust.ring.of(LEDGER).length + trust.checkpoints.length === 0) {
    throw new Flaw(TRUST_FILE, "holds neither a key of the ledger nor a checkpoint");
  }
  const witnesses = new Set(trust.ring.of(WITNESS).map((key) => key.key.join())).size;
  if (trust.quorum > witnesses) {
    throw new Flaw(TRUST_FILE, `asks for ${trust.quorum} of ${witnesses} witnesses: add their keys`);
  }
  return trust;
}

/**
 * Return the ledger keys that are trusted from the start: those of the trust file, or, where it
 * holds none, those of keys.txt that signed the checkpoints of the trust file.
 */
export function trustedAtStart(trust, ring, claimed, origin) {
  const signers = trust.checkpoints.flatMap((each) => checkSignatures(each, ring).ledger);
  const given = trust.ring.of(LEDGER);
  const found = given.length ? given : signers.filter((key) => claimed.has(key));
  return new Set(found.filter((key) => key.name === origin).map((key) => key.label));
}

/** Throw Flaw unless the last checkpoint bears the cosignatures that the trust file asks for. */
export function checkQuorum(trust, signed, place) {
  if (trust === null || trust.quorum === null) return;
  const named = signed.witnesses.filter(({ key }) => trust.ring.has(key));
  const count = new Set(named.map(({ key }) => key.key.join())).size; // each public key once
  if (count < trust.quorum) {
    throw new Flaw(place, `bears ${count} cosignatures of trusted witnesses, ${trust.quorum} are asked for`);
  }
}
