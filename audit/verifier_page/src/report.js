// The outcome as plain text: for the clipboard, the printer and the tests.

export const VERDICTS = {
  sound: "SOUND, ORIGIN PROVED",
  consistent: "CONSISTENT, ORIGIN NOT PROVED",
  flaw: "FLAW FOUND",
};

const MEANINGS = {
  sound: "Every check passed, and the last checkpoint is signed by a key you trust.",
  consistent: "Every check passed, but nothing from outside the bundle was given to say whose it is. Whoever made the bundle could have made all of it: check it again with a trust file.",
  flaw: "This bundle is not what its ledger signed, or was damaged on its way.",
};

/** Return in words what the verdict means. */
export function meaningOf(result) {
  const trustAlone = result.flaws.length && result.flaws.every((flaw) => flaw.place.startsWith("trust file"));
  return trustAlone && !result.ledger ? "The trust file cannot be used, so the bundle was not judged. Mend the file and check again."
    : MEANINGS[result.verdict];
}

/** Return a number with thin spaces between its thousands. */
export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** Return bytes in words. */
export function bytesInWords(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = bytes, unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return unit === 0 ? `${bytes} bytes` : `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** Return a time of seconds since 1970 as the format writes times, to the second. */
export function timeOf(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} s since 1970` : `${date.toISOString().slice(0, 19)}Z`;
}

/** Return [what, how many, remark] for each kind of check that was made. */
export function checksOf(result) {
  const { counts, ledger, manifest, finished } = result;
  if (!manifest) return [];
  const complete = manifest.scope === "complete";
  const whole = (remark) => (finished ? remark : "up to the flaw");
  const rows = [
    ["Files against the manifest", counts.files, bytesInWords(counts.bytes)],
    ["Records: canonical, leaf as indexed", counts.records, whole(complete ? "all" : "the selected ones")],
    ["Index lines: sequence, order, range", counts.index, whole(complete ? "all" : "of their blocks")],
    ["Block headers: chain, counts, times", counts.blocks, whole(ledger && ledger.epochs > 1 ? `all, ${ledger.epochs} epochs` : "all")],
    complete ? ["Tree roots computed from the leaves", counts.roots, whole("one for each block")]
      : ["Inclusion proofs to the last root", counts.proofs, whole("one for each record")],
    ["Checkpoints: statement, signatures", ledger ? ledger.checkpoints : 0, whole("all")],
  ];
  if (counts.blobs) rows.push(["Blobs: digest of their name", counts.blobs, whole("every cited one is there")]);
  if (counts.tokens) rows.push(["Time-stamp tokens: digest alone", counts.tokens, "not evaluated here"]);
  if (finished && result.trustCheckpoints) rows.push(["Trusted checkpoints found in the chain", result.trustCheckpoints, "all"]);
  return rows;
}

/** Return what the auditor should still know of a bundle without a flaw. */
export function limitsOf(result) {
  const limits = [];
  if (!result.manifest || result.verdict === "flaw") return limits;
  if (result.manifest.scope === "selection") {
    limits.push("A selection proves that what it shows is in the ledger; it cannot prove that nothing else fits its filters.");
  }
  if (result.counts.tokens) limits.push("The time-stamp tokens were checked by digest alone; another tool must verify them.");
  return limits;
}

function keyLines(result) {
  const of = (each) => `  ${each.label}${each.trusted ? " (trusted)" : ""}\n    SHA-256 of the key ${each.fingerprint}`;
  const lines = result.keys.map((each) => `${of(each)}\n    checkpoints signed: ${each.count}, blocks ${each.first} to ${each.last}`);
  const seen = result.witnesses.map((each) => `${of(each)}\n    checkpoints cosigned: ${each.count}, last at ${timeOf(each.time)}`);
  return [
    ...(lines.length ? ["Keys of the ledger:", ...lines] : []),
    ...(seen.length ? ["Witnesses:", ...seen] : []),
  ];
}

/** Return what to call the last checkpoint that passed: it is not the bundle's last if a flaw came first. */
export function lastName(result) {
  return result.finished ? "Last checkpoint" : "Last good checkpoint";
}

function ledgerLines(result) {
  const { manifest, ledger } = result;
  if (!manifest) return [];
  const lines = [`Ledger: ${manifest.origin}`, `Bundle: ${manifest.scope}, made ${manifest.created_at} by ${manifest.software}`];
  if (Object.keys(manifest.filters).length) lines.push(`Filters: ${JSON.stringify(manifest.filters)}`);
  if (!ledger) return lines;
  const { last, turns } = ledger;
  lines.push(`Sealed: ${ledger.from} to ${ledger.to}`);
  lines.push(`${lastName(result)}: ${last.size} records, block ${last.number}`, `  root ${last.root}`, `  block hash ${last.hash}`);
  if (result.quorum !== null) lines.push(`Quorum asked: ${result.quorum}; witnesses on the last checkpoint: ${last.cosigned.length}`);
  turns.forEach((turn) => lines.push(`Key turned at block ${turn.number}: ${turn.from.join(", ")} -> ${turn.to.join(", ")}`));
  return lines;
}

/** Return the report. `about` holds {at, page, name}: when, the page's own digest, what was dropped. */
export function reportText(result, about) {
  const flaws = result.flaws.map((flaw) => `FLAW at ${flaw.place}: ${flaw.what}`);
  if (result.more) flaws.push(`and ${result.more} more`);
  const lines = [
    VERDICTS[result.verdict], meaningOf(result), ...flaws, "", ...ledgerLines(result), ...keyLines(result),
    "Checked:", ...checksOf(result).map(([what, count, remark]) => `  ${what}: ${count}${remark ? ` (${remark})` : ""}`),
    ...result.notices.map((notice) => `Remark: ${notice}`), ...limitsOf(result).map((limit) => `Remark: ${limit}`),
  ];
  if (about) lines.push("", `Checked at ${about.at}: ${about.name}`, `Verifier page SHA-256 ${about.page}`, about.agent);
  return `${lines.join("\n")}\n`;
}
