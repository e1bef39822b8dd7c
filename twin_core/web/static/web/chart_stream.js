// One EventSource for each address, however many charts follow it. It comes back by itself; the
// waiting grows to half a minute, and [data-live] says in words how it stands.
const LONGEST = 30_000; // ms
const sources = new Map();

function say(word) {
  for (const mark of document.querySelectorAll("[data-live]")) {
    mark.textContent = word;
    mark.dataset.live = word;
  }
}

class Source {
  constructor(address) {
    this.address = address;
    this.listeners = [];
    this.wait = 2000;
    this.connect();
  }

  connect() {
    this.events = new EventSource(this.address);
    this.events.addEventListener("open", () => {
      this.wait = 2000;
      say("live");
    });
    this.events.addEventListener("chart", (event) => this.give(JSON.parse(event.data)));
    this.events.addEventListener("reload", () => location.reload());
    this.events.addEventListener("error", () => this.onError());
  }

  give(message) {
    for (const { id, take } of this.listeners) if (message.chart === id) take(message);
    document.dispatchEvent(new CustomEvent("desk:chart", { detail: message }));
  }

  onError() {
    say("reconnecting");
    if (this.events.readyState !== EventSource.CLOSED) return; // the browser tries again itself
    setTimeout(() => this.connect(), this.wait);
    this.wait = Math.min(LONGEST, this.wait * 2);
  }
}

export function follow(address, id, take) {
  if (!sources.has(address)) sources.set(address, new Source(address));
  sources.get(address).listeners.push({ id, take });
}
