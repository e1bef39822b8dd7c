// The manifest, and the files of a bundle against it.
import { Flaw, isHash, sameBytes, utf8 } from "./bytes.js";
import { checkMembers, isObject, parseCanonical } from "./json.js";
import { isTime } from "./records.js";
import { sha256 } from "./sha256.js";
import { hex } from "./bytes.js";

export const MANIFEST = "manifest.json";
const DIGEST = "manifest.sha256";
const MEMBERS = ["bundle", "created_at", "files", "filters", "origin", "scope", "software", "tree_size"];
const ALWAYS = ["records.jsonl", "index.jsonl", "blocks.jsonl", "checkpoints.jsonl", "keys.txt"];
const PROOFS = "proofs.jsonl";
const MAY = ["fields.md", "README.txt", "verifier.py", "verifier.html"];
const FOLDERS = [/^blobs\/[0-9a-f]{64}$/, /^tokens\/(0|[1-9][0-9]{0,15})\.(txt|tsr)$/, /^copies(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/];
const LARGEST_TEXT = 64 * 1024 * 1024; // bytes of manifest.json or keys.txt; they are read whole

/** Return the whole of a small file, or null where it is missing. */
export async function readWhole(files, path) {
  const blob = files.get(path);
  if (!blob) return null;
  if (blob.size > LARGEST_TEXT) throw new Flaw(path, "is too large to be what it claims to be");
  return new Uint8Array(await blob.arrayBuffer());
}

function checkFiles(files) {
  if (!isObject(files)) throw new Flaw(MANIFEST, "files is no object");
  for (const [path, digest] of Object.entries(files)) {
    if (!isHash(digest)) throw new Flaw(MANIFEST, `the digest of ${path} is no SHA-256 in hex`);
  }
}

function checkContent(manifest) {
  checkMembers(manifest, MEMBERS, MANIFEST);
  if (manifest.bundle !== 1) throw new Flaw(MANIFEST, `bundle is ${JSON.stringify(manifest.bundle)}; this page reads 1`);
  if (!isTime(manifest.created_at)) throw new Flaw(MANIFEST, "created_at is no time of the format");
  if (!["complete", "selection"].includes(manifest.scope)) throw new Flaw(MANIFEST, "scope is unknown");
  for (const name of ["origin", "software"]) {
    if (typeof manifest[name] !== "string") throw new Flaw(MANIFEST, `${name} is no text`);
  }
  if (!Number.isInteger(manifest.tree_size) || manifest.tree_size < 0) {
    throw new Flaw(MANIFEST, "tree_size is no count of records");
  }
  if (!isObject(manifest.filters)) throw new Flaw(MANIFEST, "filters is no object");
  if (manifest.scope === "complete" && Object.keys(manifest.filters).length) {
    throw new Flaw(MANIFEST, "a complete bundle has filters");
  }
  checkFiles(manifest.files);
}

/** Check manifest.sha256 against the manifest's bytes. */
export async function checkManifestDigest(files, bytes) {
  const stated = await readWhole(files, DIGEST);
  if (stated === null) throw new Flaw(DIGEST, "is missing");
  if (!sameBytes(stated, utf8(`${hex(sha256(bytes))}  ${MANIFEST}\n`))) {
    throw new Flaw(DIGEST, "is not the digest of manifest.json as it is here");
  }
}

/** Return the manifest in bytes; throws Flaw unless it has the form of one. */
export function readManifest(bytes) {
  const manifest = parseCanonical(bytes, MANIFEST);
  checkContent(manifest);
  return manifest;
}

/** Return the flaws of the list of files: what is missing, and what was added. */
export function compareFiles(files, manifest) {
  const flaws = [];
  for (const path of Object.keys(manifest.files)) {
    if (!files.has(path)) flaws.push(new Flaw(path, "is missing; the manifest lists it"));
  }
  for (const path of files.keys()) {
    if (path in manifest.files || path === MANIFEST || path === DIGEST) continue;
    flaws.push(new Flaw(path, "was added; the manifest does not list it"));
  }
  return flaws;
}

/** Return the flaws of the files that a bundle of this scope needs or must not have. */
export function checkPresence(manifest) {
  const needed = manifest.scope === "selection" ? [...ALWAYS, PROOFS] : ALWAYS;
  const flaws = needed
    .filter((path) => !(path in manifest.files))
    .map((path) => new Flaw(path, "is missing; every such bundle has it"));
  if (manifest.scope === "complete" && PROOFS in manifest.files) {
    flaws.push(new Flaw(PROOFS, "does not belong into a complete bundle"));
  }
  const known = new Set([...ALWAYS, PROOFS, ...MAY]);
  for (const path of Object.keys(manifest.files)) {
    if (known.has(path) || FOLDERS.some((form) => form.test(path))) continue;
    flaws.push(new Flaw(path, "has no place in a bundle"));
  }
  return flaws;
}
