// The desk's behaviour on every page. Everything here is an aid: pages work without it, except
// that times do not tick and digests are not copied.
import { startClock } from "./clock.js";
import { startDialogs } from "./dialogs.js";
import { startKeys } from "./keys.js";
import { startSession } from "./session.js";
import { startTabs } from "./tabs.js";
import { startToasts, toast } from "./toasts.js";

document.documentElement.classList.add("has-script");

function startCopy() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.dataset.done = "";
      toast("Copied " + button.dataset.copy.slice(0, 16) + (button.dataset.copy.length > 16 ? "…" : ""), "ok");
      setTimeout(() => delete button.dataset.done, 2000);
    } catch {
      toast("The browser refused to copy; select the text instead.", "warn");
    }
  });
}

function startMenus() {
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("[data-menu][open]"))
      if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("[data-menu][open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    for (const tip of document.querySelectorAll(".tip:hover, .tip:focus-within")) {
      tip.dataset.closed = "";
      tip.addEventListener("mouseleave", () => delete tip.dataset.closed, { once: true });
      tip.addEventListener("focusout", () => delete tip.dataset.closed, { once: true });
    }
  });
}

/** The banner is asked for every five seconds; when no answer comes, that itself is said. */
function startStatus() {
  const slot = document.getElementById("status");
  const say = (text) => {
    if (slot.textContent === text) return;
    const banner = Object.assign(document.createElement("div"), { className: "banner tone-warn", textContent: text });
    slot.replaceChildren(banner);
  };
  document.body.addEventListener("htmx:sendError", (event) => {
    if (event.target === slot) say("The web server does not answer. What is on this page may be old; it is asked again every five seconds.");
  });
  document.body.addEventListener("htmx:responseError", (event) => {
    if (event.target === slot && event.detail.xhr.status >= 500)
      say("The database or another service is restarting. Nothing that was confirmed is lost; wait before you sign or send.");
  });
}

function startRetry() {
  const box = document.querySelector("[data-retry]");
  if (box) setTimeout(() => location.reload(), 1000 * Number(box.dataset.retry));
}

function startPrint() {
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
  });
}

/** A table that is wider than its place can be scrolled by keyboard; one that fits is no stop. */
function startScrolling() {
  const boxes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.role === "tabpanel") continue;
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const box of document.querySelectorAll(".table-wrap")) boxes.observe(box);
}

startClock();
startCopy();
startDialogs();
startKeys();
startMenus();
startPrint();
startRetry();
startScrolling();
startSession();
startStatus();
startTabs();
startToasts();
