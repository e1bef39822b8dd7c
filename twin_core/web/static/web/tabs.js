// Tabs by the ARIA pattern: arrow keys move, the panel follows. Without script all panels show.
function select(tab, focus) {
  const list = tab.closest("[role=tablist]");
  for (const other of list.querySelectorAll("[role=tab]")) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", chosen);
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (focus) tab.focus();
  window.dispatchEvent(new Event("resize")); // charts in a panel that was hidden have no width
}

const STEP = { ArrowRight: 1, ArrowLeft: -1 };

function onKey(event, tabs) {
  const at = tabs.indexOf(event.target);
  if (at < 0) return;
  const next = event.key === "Home" ? 0 : event.key === "End" ? tabs.length - 1
    : event.key in STEP ? (at + STEP[event.key] + tabs.length) % tabs.length : -1;
  if (next < 0) return;
  event.preventDefault();
  select(tabs[next], true);
}

export function startTabs() {
  for (const list of document.querySelectorAll("[role=tablist]")) {
    const tabs = [...list.querySelectorAll("[role=tab]")];
    list.hidden = false;
    list.addEventListener("click", (event) => {
      const tab = event.target.closest("[role=tab]");
      if (tab) select(tab);
    });
    list.addEventListener("keydown", (event) => onKey(event, tabs));
    const named = tabs.find((tab) => "#" + tab.getAttribute("aria-controls") === location.hash);
    if (tabs.length) select(named || tabs[0]);
  }
}
