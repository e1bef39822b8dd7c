// Two clocks in the bar, UTC and the site's, both set by the server's time, not by this machine's;
// and countdowns: <span data-until="ISO time">.
let offset = 0; // ms, server minus this machine

export function serverNow() {
  return new Date(Date.now() + offset);
}

function formatter(zone, extra = {}) {
  return new Intl.DateTimeFormat("en-GB", {
    timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", ...extra,
  });
}

export function spanWords(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${s} s` : `${s} s`;
}

function tickCountdowns(now) {
  for (const mark of document.querySelectorAll("[data-until]")) {
    const left = new Date(mark.dataset.until) - now;
    mark.textContent = left > 0 ? spanWords(left) : mark.dataset.over || "now";
    mark.toggleAttribute("data-elapsed", left <= 0);
  }
}

export function startClock() {
  const clock = document.querySelector("[data-clock]");
  if (clock) offset = new Date(clock.dataset.now) - Date.now();
  const utc = formatter("UTC");
  const site = clock && formatter(clock.dataset.zone, { timeZoneName: "short" });
  const tick = () => {
    const now = serverNow();
    tickCountdowns(now);
    if (!clock) return;
    clock.querySelector("[data-clock-utc]").textContent = utc.format(now);
    const parts = Object.fromEntries(site.formatToParts(now).map((part) => [part.type, part.value]));
    clock.querySelector("[data-clock-site]").textContent = `${parts.hour}:${parts.minute}:${parts.second}`;
    clock.querySelector("[data-clock-zone]").textContent = parts.timeZoneName;
  };
  tick();
  setInterval(tick, 1000);
}
