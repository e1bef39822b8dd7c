// The page: takes in, asks the session, shows the outcome.
import { byId, make } from "./dom.js";
import { failureOf, outcomeOf, spoken } from "./outcome.js";
import { RecordList } from "./list.js";

// Before anything changes the document, its text is that of the file it came from.
const ownText = `<!doctype html>\n${document.documentElement.outerHTML}\n`;
const ownDigest = bundleVerifier.hex(bundleVerifier.sha256(bundleVerifier.utf8(ownText)));
const LARGEST_TRUST = 16 * 1024 * 1024; // bytes
const state = { list: null, trust: null, port: null, report: "" };

/** Start a session: in a worker, or on this page where the browser gives none to a file. */
function startSession() {
  const source = `${byId("core").textContent}\nbundleVerifier.serveAsWorker(self);`;
  try {
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(address);
    const port = { ask: (message) => worker.postMessage(message), end: () => worker.terminate(), inWorker: true };
    worker.onmessage = (event) => state.port === port && heard(event.data);
    worker.onerror = () => state.port === port && startOver();
    return port;
  } catch {
    return sessionHere();
  }
}

function sessionHere() {
  const breathe = () => new Promise((resolve) => { setTimeout(resolve); });
  const port = { end: () => {}, inWorker: false };
  const session = new bundleVerifier.Session((message) => {
    if (state.port !== port) throw new DOMException("the check was stopped", "AbortError");
    heard(message);
  }, breathe);
  port.ask = (message) => session.take(message).catch(() => {}); // only a stopped check ends here
  return port;
}

/** The worker could not start: do the same work on the page. */
function startOver() {
  state.port = sessionHere();
  state.port.ask({ kind: "check", list: state.list, trust: state.trust });
}

function check() {
  if (state.port) state.port.end();
  records.hide();
  byId("outcome").hidden = true;
  byId("working").hidden = false;
  showProgress({ share: 0, path: "" });
  byId("said").textContent = "Checking";
  state.port = startSession();
  state.port.ask({ kind: "check", list: state.list, trust: state.trust });
}

function stop() {
  state.port.end();
  state.port = null;
  byId("working").hidden = true;
  byId("said").textContent = "Stopped; nothing was judged";
  byId("folder").focus();
}

function showProgress({ share, path }) {
  byId("progress").value = Math.floor(1000 * share);
  byId("working-path").textContent = path;
  byId("working-share").textContent = `${Math.floor(100 * share)} %`;
}

function heard(message) {
  if (message.kind === "progress") showProgress(message);
  else if (message.kind === "searching") records.searching(message);
  else if (message.kind === "found") records.found(message);
  else if (message.kind === "failed" && message.during === "search") records.failed(message);
  else if (message.kind === "failed") showFailure(message);
  else showResult(message);
}

function show(parts) {
  byId("working").hidden = true;
  byId("outcome").replaceChildren(...parts);
  byId("outcome").hidden = false;
  byId("main").classList.add("with-result");
  byId("verdict").focus();
}

function showFailure(message) {
  records.hide();
  show([failureOf(message)]);
  byId("said").textContent = "Not checked";
}

function showResult({ result, name }) {
  const about = { at: new Date().toISOString().replace(/\.\d+Z$/, "Z"), page: ownDigest, name, agent: navigator.userAgent };
  state.report = bundleVerifier.reportText(result, about);
  byId("bundle-name").textContent = name;
  byId("bundle-name").hidden = false;
  show(outcomeOf(result, about, actButtons()));
  byId("said").textContent = spoken(result);
  document.title = `${spoken(result)}: bundle verifier`;
  if (result.verdict !== "flaw") records.restart("");
}

function actButtons() {
  return [["Copy the report", copyReport], ["Save the report", saveReport], ["Print", () => window.print()]].map(([text, act]) => {
    const button = make("button", { class: "button", type: "button", text });
    button.addEventListener("click", () => act(button));
    return button;
  });
}

async function copyReport(button) {
  try {
    await navigator.clipboard.writeText(state.report);
  } catch { // not offered here: copy from a field, as pages did before
    const field = make("textarea", { class: "visually-hidden", "aria-label": "report" });
    field.value = state.report;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }
  byId("said").textContent = button.textContent = "Copied";
}

function saveReport() {
  const link = make("a", { download: "verification_report.txt", href: URL.createObjectURL(new Blob([state.report], { type: "text/plain" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function takeBundle(list) {
  if (!list.length) return;
  state.list = list;
  check();
}

async function takeTrust(file) {
  if (!file) return;
  if (file.size > LARGEST_TRUST) {
    showFailure({ place: file.name, what: `is larger than ${bundleVerifier.bytesInWords(LARGEST_TRUST)}: this is no trust file` });
    return;
  }
  state.trust = await file.text();
  byId("trust-name").textContent = file.name;
  byId("no-trust").hidden = false;
  if (state.list) check();
}

function dropTrust() {
  state.trust = null;
  byId("trust").value = "";
  byId("trust-name").textContent = "none given";
  byId("no-trust").hidden = true;
  if (state.list) check();
  else byId("trust").focus();
}

/** Return {path, file} of everything below a dropped entry. */
async function entriesBelow(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => { entry.file(resolve, reject); });
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) return found;
    for (const each of some) (await entriesBelow(each)).forEach((file) => found.push(file));
  }
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ path: file.name, file }));
  const found = [];
  for (const entry of entries) found.push(...await entriesBelow(entry));
  return found;
}

async function onDrop(event) {
  event.preventDefault();
  document.querySelectorAll(".over").forEach((zone) => zone.classList.remove("over"));
  const onTrust = byId("trust-zone").contains(event.target);
  try {
    const list = await dropped(event.dataTransfer);
    if (onTrust) await takeTrust(list.length === 1 ? list[0].file : null);
    else takeBundle(list);
  } catch (error) {
    showFailure({ place: null, what: `${error.name}: ${error.message}` });
  }
}

function onDrag(event) {
  event.preventDefault();
  const zone = byId(byId("trust-zone").contains(event.target) ? "trust-zone" : "bundle-zone");
  document.querySelectorAll(".over").forEach((each) => each !== zone && each.classList.remove("over"));
  zone.classList.add("over");
}

const records = new RecordList((message) => state.port.ask(message));
byId("own-digest").textContent = ownDigest;
byId("folder").addEventListener("change", (event) => takeBundle([...event.target.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }))));
byId("zip").addEventListener("change", (event) => takeBundle([...event.target.files].map((file) => ({ path: file.name, file }))));
byId("trust").addEventListener("change", (event) => takeTrust(event.target.files[0]));
byId("no-trust").addEventListener("click", dropTrust);
byId("stop").addEventListener("click", stop);
window.addEventListener("dragover", onDrag);
window.addEventListener("drop", onDrop);
