// Short messages in a live region. What matters also stands on the page; a toast only says so.
const SHAPES = { ok: "✓", warn: "!", bad: "✕", info: "i" };

export function toast(text, tone = "info", action = null, stay = 6000) {
  const box = document.createElement("div");
  box.className = `toast tone-${tone}`;
  const mark = Object.assign(document.createElement("strong"), { textContent: SHAPES[tone] });
  mark.setAttribute("aria-hidden", "true");
  box.append(mark, Object.assign(document.createElement("span"), { textContent: text }));
  if (action) {
    const button = Object.assign(document.createElement("button"), {
      className: "button", type: "button", textContent: action.label,
    });
    button.addEventListener("click", () => { box.remove(); action.act(); });
    box.append(button);
  }
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), stay);
  return box;
}

export function startToasts() {
  document.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.closest("[data-toast]").remove());
}
