// The session's end: a warning two minutes before with a way to stay, and a cleared screen after.
import { serverNow, spanWords } from "./clock.js";
import { toast } from "./toasts.js";

const WARNING = 120_000; // ms before the end
let ends = null;
let warned = null;

async function extend() {
  const answer = await fetch(document.body.dataset.extend, {
    method: "POST", headers: { "X-CSRFToken": token() }, redirect: "error",
  }).catch(() => null);
  if (answer?.ok) {
    ends = new Date((await answer.json()).ends);
    toast("The session goes on.", "ok");
  } else toast("The session could not be extended; sign in again.", "warn");
}

function token() {
  return document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
}

function warn(left) {
  const text = `Your session ends in ${spanWords(left)}.`;
  const canExtend = Boolean(document.body.dataset.extend);
  warned = toast(text, "warn", canExtend ? { label: "Stay signed in", act: extend } : null, WARNING);
}

/** Ask when the session ends: another tab may have extended it. Asking does not extend it. */
async function ask() {
  const address = document.body.dataset.session;
  if (!address) return;
  const answer = await fetch(address, { headers: { "X-Background": "1" } }).catch(() => null);
  if (answer?.ok) ends = new Date((await answer.json()).ends ?? 0);
  else if (answer?.status === 401) ends = new Date(0);
}

function leave() {
  const { signedOut } = document.body.dataset;
  if (signedOut) location.replace(`${signedOut}?cause=timed_out&next=${encodeURIComponent(location.pathname + location.search)}`);
}

async function look() {
  if (ends - serverNow() < WARNING) await ask();
  const left = ends - serverNow();
  if (left <= 0) leave();
  else if (left < WARNING && !warned) warn(left);
  else if (left >= WARNING && warned) {
    warned.remove();
    warned = null;
  }
}

export function startSession() {
  const mark = document.querySelector("[data-session-end]");
  if (!mark) return;
  ends = new Date(mark.dataset.sessionEnd);
  setInterval(look, 5000);
}
