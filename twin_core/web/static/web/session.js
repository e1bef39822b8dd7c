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

function look() {
  const left = ends - serverNow();
  for (const mark of document.querySelectorAll("[data-session-left]")) mark.textContent = spanWords(left);
  if (left <= 0 && document.body.dataset.signedOut) location.replace(document.body.dataset.signedOut);
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
  document.body.addEventListener("desk:session", (event) => {
    ends = new Date(event.detail.ends);
  });
  setInterval(look, 1000);
}
