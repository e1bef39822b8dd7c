// What page, worker and tests may use of everything above.
import { canonicalText, parseCanonical } from "./json.js";
import { inflated } from "./inflate.js";
import { GrowingTree, rootOfProof } from "./merkle.js";
import { fromHex, hex, utf8 } from "./bytes.js";
import { sha256 } from "./sha256.js";
import { sha512 } from "./sha512.js";
import { verifyEd25519 } from "./ed25519.js";
import { readZip } from "./zip.js";
import { Session, serveAsWorker } from "./session.js";
import { VERDICTS, bytesInWords, checksOf, grouped, lastName, limitsOf, meaningOf, reportText, timeOf } from "./report.js";
import { verifyBundle } from "./verify.js";

globalThis.bundleVerifier = {
  GrowingTree, VERDICTS, Session, bytesInWords, canonicalText, checksOf, fromHex, grouped, hex, inflated, lastName, limitsOf, meaningOf, parseCanonical,
  readZip, reportText, rootOfProof, serveAsWorker, sha256, sha512, timeOf, utf8, verifyBundle, verifyEd25519,
};
