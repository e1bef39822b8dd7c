// Single keys: / search, j k rows, g then a letter to go, ? help. They can be switched off in the
// help dialog (WCAG 2.1.4) and never act while something is being typed.
const STORE = "desk.keys";
const WAIT = 1200; // ms for the second key after g

const isOn = () => localStorage.getItem(STORE) !== "off";
const isTyping = (target) => target.isContentEditable || target.closest("input, select, textarea, dialog[open], [data-keys-own]");

function step(direction) {
  const rows = [...document.querySelectorAll("[data-row]")].filter((row) => row.getClientRects().length);
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at < 0 ? (direction > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + direction))];
  const link = next.querySelector("a, button");
  link?.focus();
  next.scrollIntoView({ block: "nearest" });
}

function go(key) {
  document.querySelector(`[data-go="${CSS.escape(key)}"]`)?.click();
}

const ACTS = {
  "/": () => document.querySelector("[data-search]")?.focus(),
  "?": () => document.getElementById("keys").showModal(),
  j: () => step(1),
  k: () => step(-1),
};

export function startKeys() {
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (!isOn() || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (Date.now() - going < WAIT) {
      going = 0;
      go(event.key);
    } else if (event.key === "g") going = Date.now();
    else if (ACTS[event.key]) ACTS[event.key]();
    else return;
    event.preventDefault();
  });
  const box = document.querySelector("[data-keys-on]");
  if (!box) return;
  box.checked = isOn();
  box.addEventListener("change", () => localStorage.setItem(STORE, box.checked ? "on" : "off"));
}
