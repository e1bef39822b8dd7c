// A bundle checked from end to end; the one door for page, worker and tests.
import { Flaw, textOf } from "./bytes.js";
import { KeyRing, WITNESS, fingerprint, readKeys } from "./keys.js";
import { MANIFEST, checkManifestDigest, checkPresence, compareFiles, readManifest, readWhole } from "./manifest.js";
import { readRange } from "./lines.js";
import { Sha256, sha256 } from "./sha256.js";
import { TRUST_FILE, readTrust } from "./trust.js";
import { Walk } from "./walk.js";
import { hex } from "./bytes.js";

const WALKED = ["records", "index", "blocks", "checkpoints", "proofs"].map((name) => `${name}.jsonl`);
const CHUNK_BYTES = 1024 * 1024;
const SUBTLE_FROM = 256 * 1024; // bytes; below, the call costs more than it saves
const SUBTLE_TO = 64 * 1024 * 1024; // bytes; above, the file would have to be held whole
const MOST_FLAWS = 50; // listed; more are counted

/** Return crypto.subtle if it is there and agrees with the SHA-256 of this page, else null. */
export async function agreeingSubtle() {
  const subtle = globalThis.crypto && globalThis.crypto.subtle;
  if (!subtle) return null;
  const probe = Uint8Array.from({ length: 1000 }, (_, i) => (i * i) & 0xff);
  try {
    const theirs = new Uint8Array(await subtle.digest("SHA-256", probe));
    return hex(theirs) === hex(sha256(probe)) ? subtle : null;
  } catch {
    return null;
  }
}

/** Collects the flaws of a check, the counts, and what deserves a remark. */
class Findings {
  constructor() {
    this.flaws = [];
    this.notices = [];
    this.counts = { files: 0, bytes: 0, records: 0, index: 0, blocks: 0, roots: 0, proofs: 0, blobs: 0, tokens: 0 };
  }

  add(error) {
    if (!(error instanceof Flaw)) throw error;
    this.flaws.push({ place: error.place, what: error.what });
  }

  /** Run one part of the check; a Flaw ends the part, not the check. Return its value or null. */
  async part(work) {
    try {
      return await work();
    } catch (error) {
      this.add(error);
      return null;
    }
  }
}

function isForSubtle(blob, subtle) {
  return subtle !== null && blob.size >= SUBTLE_FROM && blob.size <= SUBTLE_TO;
}

async function digestOf(blob, path, subtle, progress) {
  if (isForSubtle(blob, subtle)) {
    const digest = await subtle.digest("SHA-256", await blob.arrayBuffer());
    await progress(blob.size, path);
    return hex(new Uint8Array(digest));
  }
  const hash = new Sha256();
  for (let at = 0; at < blob.size; at += CHUNK_BYTES) {
    const bytes = await readRange(blob, at, Math.min(at + CHUNK_BYTES, blob.size));
    hash.update(bytes);
    await progress(bytes.length, path);
  }
  return hash.hex();
}

/** Digest every listed file (the walk's readers did theirs); return whether the browser's SHA-256 served. */
async function checkDigests(findings, files, manifest, walk, progress) {
  const subtle = await agreeingSubtle();
  const readers = walk ? walk.readers : {};
  let used = false;
  for (const [path, stated] of Object.entries(manifest.files)) {
    if (!files.has(path)) continue;
    const reader = WALKED.includes(path) ? readers[path.slice(0, -6)] : undefined;
    used = used || (!reader && isForSubtle(files.get(path), subtle));
    const digest = reader ? await reader.digest() : await digestOf(files.get(path), path, subtle, progress);
    findings.counts.files += 1;
    findings.counts.bytes += files.get(path).size;
    if (digest !== stated) findings.add(new Flaw(path, "was changed: its digest is not that of the manifest"));
    if (path.startsWith("blobs/")) {
      findings.counts.blobs += 1;
      if (path !== `blobs/${digest}`) findings.add(new Flaw(path, "its content has not the digest of its name"));
    }
    if (path.startsWith("tokens/") && path.endsWith(".tsr")) findings.counts.tokens += 1;
  }
  return used;
}

/** Read keys and trust; return {claimed, ring, trust} or null where they cannot be read. */
async function readVouchers(findings, files, trustText, origin) {
  const claimed = await findings.part(async () => readKeys(textOf(await readWhole(files, "keys.txt"), "keys.txt"), "keys.txt"));
  const trust = trustText === null ? null : await findings.part(() => readTrust(trustText));
  if (claimed === null || (trustText !== null && trust === null)) return null;
  const ring = await findings.part(() => {
    const both = new KeyRing();
    const known = (key) => key.algorithm === WITNESS || key.name === origin; // another ledger's are passed over
    for (const key of claimed.keys.values()) if (known(key)) both.add(key, "keys.txt");
    if (trust) for (const key of trust.ring.keys.values()) if (known(key)) both.add(key, TRUST_FILE);
    return both;
  });
  return ring && { claimed, ring, trust };
}

function addNotices(findings, manifest, walk) {
  const { notices } = findings;
  if (!walk || findings.flaws.length) return;
  const idle = Object.keys(manifest.files).filter((path) => path.startsWith("blobs/") && !walk.cited.has(path.slice(6)));
  if (idle.length) notices.push(`${idle.length} blobs are cited by no record: ${idle.slice(0, 3).join(", ")}`);
}

function keyFacts(walk, trusted) {
  if (!walk || !walk.follower) return { keys: [], witnesses: [] };
  const facts = ([key, seen]) => ({
    label: key.label, fingerprint: fingerprint(key), ...seen, time: seen.time === null ? null : Number(seen.time),
    trusted: trusted(key),
  });
  const { signers, witnesses } = walk.follower;
  return { keys: [...signers].map(facts), witnesses: [...witnesses].map(facts) };
}

function ledgerFacts(walk) {
  const follower = walk && walk.follower;
  if (!follower || !follower.last || !walk.headers.first) return null;
  const { first, last } = walk.headers;
  const { size, root, number, hash, signed } = follower.last;
  const cosigned = signed.witnesses.map(({ key, time }) => ({ label: key.label, time: Number(time) }));
  return {
    checkpoints: follower.count, epochs: last.epoch + 1, from: first.sealed_at, to: last.sealed_at,
    turns: follower.turns.turns, last: { size, root, number, hash, cosigned, unknown: signed.unknown },
  };
}

function verdictOf(findings, trust) {
  if (findings.flaws.length) return "flaw";
  return trust === null ? "consistent" : "sound";
}

/** Describe the outcome in plain data: what the page, the worker and the report pass around. */
function resultOf(findings, { manifest, vouchers, walk, usedSubtle, started }) {
  const { flaws, notices, counts } = findings;
  const trust = vouchers && vouchers.trust;
  const trusted = (key) => Boolean(trust) && (key.algorithm === WITNESS ? trust.ring.has(key)
    : walk.follower.turns.trusted.has(key.label));
  return {
    verdict: verdictOf(findings, trust), flaws: flaws.slice(0, MOST_FLAWS), more: Math.max(0, flaws.length - MOST_FLAWS),
    notices, counts, usedSubtle, finished: Boolean(walk && walk.finished), trustGiven: trust !== null, quorum: trust ? trust.quorum : null,
    trustCheckpoints: trust ? trust.checkpoints.length : 0, seconds: (Date.now() - started) / 1000,
    manifest: manifest && { ...manifest, files: Object.keys(manifest.files).length },
    ledger: ledgerFacts(walk), ...keyFacts(walk, trusted),
  };
}

/** Check what the manifest lists; return what the result needs. */
async function checkContents(findings, files, manifest, trustText, progress) {
  const missing = [...compareFiles(files, manifest), ...checkPresence(manifest)];
  const unread = WALKED.concat("keys.txt").some((path) => missing.some((flaw) => flaw.place === path));
  const vouchers = unread ? null : await readVouchers(findings, files, trustText, manifest.origin);
  const { counts } = findings;
  const walk = vouchers && new Walk({ files, manifest, ...vouchers, progress, counts });
  if (walk) await findings.part(() => walk.run());
  missing.forEach((flaw) => findings.add(flaw));
  const usedSubtle = await checkDigests(findings, files, manifest, walk, progress);
  addNotices(findings, manifest, walk);
  return { manifest, vouchers, walk, usedSubtle };
}

/**
 * Check a bundle.
 *
 * files: Map of path to Blob. trustText: the trust file's text, or null. progress(bytes, path) is
 * awaited after each piece read. Returns {result, walk}; the walk knows where each record lies.
 */
export async function verifyBundle(files, trustText, progress) {
  const findings = new Findings(), started = Date.now();
  const bytes = await findings.part(() => readWhole(files, MANIFEST));
  if (bytes === null && !findings.flaws.length) findings.add(new Flaw(MANIFEST, "is missing: this is no bundle"));
  let facts = { manifest: null, vouchers: null, walk: null, usedSubtle: false };
  if (bytes !== null) {
    const manifest = await findings.part(() => readManifest(bytes));
    if (manifest) facts = await checkContents(findings, files, manifest, trustText, progress);
    await findings.part(() => checkManifestDigest(files, bytes));
  }
  const { walk } = facts;
  return { result: resultOf(findings, { ...facts, started }), walk };
}
