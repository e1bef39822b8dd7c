"""How each state looks: a tone, an icon and a word, so that colour is never the only sign."""

from typing import NamedTuple

Tone = str  # ok | warn | bad | info | wait | off


class Look(NamedTuple):
    tone: Tone
    icon: str


OK = Look("ok", "check")
WARN = Look("warn", "alert")
BAD = Look("bad", "cross")
INFO = Look("info", "dot")
WAIT = Look("wait", "clock")
OFF = Look("off", "dash")
PLAIN = Look("off", "circle")
QUESTION = Look("wait", "question")
PAUSE = Look("warn", "pause")
WORK = Look("info", "sync")

LOOKS: dict[str, Look] = {
    # recommendation and setpoint write
    "proposed": WAIT,
    "returned": QUESTION,
    "approved": OK,
    "rejected": BAD,
    "expired": OFF,
    "written": INFO,
    "confirmed": OK,
    "unknown": WARN,
    "deviation": BAD,
    "refused": BAD,
    # model version
    "drafted": PLAIN,
    "specified": INFO,
    "trained": INFO,
    "verified": INFO,
    "validated": INFO,
    "in_force": OK,
    "suspended": PAUSE,
    "retired": OFF,
    # batch
    "planned": PLAIN,
    "started": INFO,
    "running": OK,
    "completed": OK,
    "closed": OFF,
    "aborted": BAD,
    # insight
    "decided": OK,
    "undecided": QUESTION,
    "holds": OK,
    "broken": BAD,
    "untrusted": BAD,
    "not_checked": PLAIN,
    # samples
    "good": OK,
    "uncertain": WARN,
    "bad": BAD,
    "stale": WARN,
    "quarantined": WARN,
    "released": OK,
    "corrected": INFO,
    # services and health
    "ready": OK,
    "starting": WORK,
    "restarting": WORK,
    "stopping": WORK,
    "stopped": OFF,
    "failed": BAD,
    "late": WARN,
    "connected": OK,
    "disconnected": BAD,
    # evidence
    "passed": OK,
    "incomplete": WARN,
    "not_run": PLAIN,
    # record store
    "sealed": OK,
    "waiting": WAIT,
    "proved": OK,
    "not_proved": BAD,
    "open": INFO,
    "over": WAIT,
    "archived": OK,
    "dropped": OFF,
    "held": PAUSE,
    # exports
    "requested": WAIT,
    "making": WORK,
    "done": OK,
    "cancelled": OFF,
    "files_deleted": OFF,
    "signed": OK,
    "unsigned": OFF,
    # reviews of the trail
    "opened": WAIT,
    "abandoned": OFF,
    "no_concern": OK,
    "finding": BAD,
    # people
    "active": OK,
    "locked": BAD,
    "inactive": OFF,
    # trust level of an asset
    "monitor": PLAIN,
    "advise": INFO,
    "supervised_write": INFO,
    "bounded_automatic": WARN,
    # risk
    "low": PLAIN,
    "medium": INFO,
    "high": WARN,
}


def key_of(state: str) -> str:
    return str(state).strip().lower().replace(" ", "_").replace("-", "_")


def look_of(state: str) -> Look:
    """Return the look of a state; one that is not listed is shown plain, with its own word."""
    return LOOKS.get(key_of(state), PLAIN)
