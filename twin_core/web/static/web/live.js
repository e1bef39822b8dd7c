// Follows a batch, or all of them: the server says that something has changed, and the page asks
// for its charts and parts again, at most every two seconds. [data-live] says how it stands.
// Asking by itself is no activity: it never extends the session.
const AT_MOST_EVERY = 2000; // ms
const LONGEST = 30_000; // ms between two attempts to connect
const BACKGROUND = { headers: { "X-Background": "1", Accept: "application/json" } };
const root = document.querySelector("[data-follow]");

function say(word) {
  for (const mark of document.querySelectorAll("[data-live]")) {
    if (mark.textContent === word) continue;
    mark.textContent = word;
    mark.dataset.live = word;
  }
}

/** Whether swapping the page's parts would take the place from under the reader's hands. */
const isBusy = () => Boolean(document.querySelector("dialog[open]") || document.activeElement?.closest("[data-row], [role=tabpanel] a, [role=tabpanel] button"));

function put(chart, fresh) {
  const isSame = fresh.series.map((one) => one.key).join() === chart.spec.series.map((one) => one.key).join()
    && JSON.stringify([fresh.limits, fresh.events]) === JSON.stringify([chart.spec.limits, chart.spec.events]);
  Object.assign(chart.spec, fresh, { csv: chart.spec.csv });
  if (isSame) chart.update();
  else chart.refresh();
}

async function refreshCharts(address) {
  const answer = await fetch(address, BACKGROUND).catch(() => null);
  if (!answer?.ok) return;
  const { charts } = await answer.json();
  const drawn = charts.map((fresh) => [document.querySelector(`[data-chart="${CSS.escape(fresh.id)}"]`)?.chart, fresh]);
  if (drawn.some(([chart]) => !chart) && !isBusy()) location.reload(); // a quantity came for the first time
  for (const [chart, fresh] of drawn) if (chart) put(chart, fresh);
}

class Page {
  constructor() {
    this.wait = 2000;
    this.last = 0;
    this.timer = null;
    this.held = false; // parts wait until the reader has left the row
    document.addEventListener("focusout", () => setTimeout(() => this.held && !isBusy() && this.swap(), 200));
    this.connect();
  }

  connect() {
    this.events = new EventSource(root.dataset.follow);
    this.events.addEventListener("open", () => { this.wait = 2000; say("live"); });
    this.events.addEventListener("changed", () => this.soon());
    this.events.addEventListener("ended", () => { this.events.close(); say("session over"); });
    this.events.addEventListener("error", () => this.onError());
  }

  onError() {
    say("reconnecting");
    if (this.events.readyState !== EventSource.CLOSED) return; // the browser tries again itself
    setTimeout(() => this.connect(), this.wait);
    this.wait = Math.min(LONGEST, this.wait * 2);
  }

  soon() {
    if (this.timer) return;
    this.timer = setTimeout(() => this.refresh(), Math.max(0, this.last + AT_MOST_EVERY - Date.now()));
  }

  refresh() {
    this.timer = null;
    this.last = Date.now();
    if (document.hidden) {
      document.addEventListener("visibilitychange", () => this.soon(), { once: true });
      return;
    }
    if (root.dataset.charts) refreshCharts(root.dataset.charts);
    if (isBusy()) this.held = true;
    else this.swap();
  }

  swap() {
    this.held = false;
    document.body.dispatchEvent(new CustomEvent("batch-changed"));
  }
}

if (root) new Page();
