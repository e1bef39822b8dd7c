// Native dialogs: data-open="ID" opens, data-close closes. A dialog with data-open-now was sent
// back with errors and opens by itself.
function open(dialog) {
  dialog.showModal();
  const wrong = dialog.querySelector("[aria-invalid=true]");
  const first = dialog.querySelector(".dialog-body :is(input:not([type=hidden]), select, textarea)");
  (wrong || first)?.focus();
}

export function startDialogs() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) open(document.getElementById(opener.dataset.open));
    const closer = event.target.closest("[data-close]");
    if (closer) closer.closest("dialog").close();
  });
  for (const dialog of document.querySelectorAll("dialog[data-open-now]")) open(dialog);
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-once]");
    if (!form) return;
    if (form.dataset.sent !== undefined) event.preventDefault(); // a second click sends nothing
    form.dataset.sent = "";
    for (const button of form.querySelectorAll("[type=submit]")) button.setAttribute("aria-disabled", "true");
  });
}
