"""What a record tells, in words: one line for a list, lines of text for a page."""

from collections.abc import Iterator, Mapping
from typing import Any

from audit import personal

SPOKEN = {  # kinds of the record store whose name alone would not be understood
    "audit.session.opened": "Signed in",
    "audit.session.closed": "Signed out",
    "audit.session.expired": "Session ended by time",
    "audit.session.proved": "Password and code accepted at sign-in",
    "audit.session.refused": "Sign-in refused",
    "audit.session.locked": "Sign-in locked after refused attempts",
    "audit.proof.accepted": "Password and code accepted for a signature",
    "audit.proof.refused": "Password or code refused for a signature",
    "audit.proof.locked": "Signing locked after refused attempts",
    "audit.signature.made": "Signature made",
    "audit.signature.refused": "Signature refused",
    "audit.witness.unmet": "Checkpoints not confirmed by enough witnesses",
    "audit.witness.met": "Checkpoints confirmed by enough witnesses again",
    "audit.witness.policy_changed": "Witnesses that are asked, changed",
    "audit.writer.fenced": "This writer stopped: a witness knows another history",
    "audit.delivery.failed": "Checkpoints do not reach a store",
    "audit.delivery.resumed": "Checkpoints reach a store again",
    "audit.timestamp.received": "Time token received",
    "audit.timestamp.requested": "Time token asked for",
    "audit.timestamp.failed": "No time token",
    "audit.timestamp.resumed": "Time tokens are received again",
    "audit.key.rotated": "Ledger key turned",
    "audit.entries.read": "Records read as tiles",
    "audit.trail.viewed": "Trail looked at",
    "audit.trail.exported": "Trail exported",
    "audit.partition.archived": "Month archived and closed",
    "audit.partition.dropped": "Month dropped after its time",
    "audit.partition.missing": "A coming month has no place",
    "audit.hold.set": "Legal hold set",
    "audit.hold.released": "Legal hold released",
    "audit.retention.drop_proposed": "Drop of a month proposed",
    "audit.retention.policy_signed": "Retention policy put in force",
    "audit.retention.refused": "Archive or drop of a month refused",
    "audit.space.short": "The store's volume is nearly full",
    "audit.space.freed": "The store's volume has room again",
}
NAMES = ("title", "name", "printed_name", "username", "tag", "role", "meaning")


def headline(kind: str, content: Mapping[str, Any]) -> str:
    """Return a record in one line: what happened, and to what where the record names it."""
    said = SPOKEN.get(kind) or spoken(kind)
    named = name_in(content)
    return f"{said}: {named}" if named else said


def spoken(kind: str) -> str:
    """Return ``package.thing.state`` as ``Thing state``."""
    parts = kind.split(".")[1:] or [kind]
    text = " ".join(parts).replace("_", " ")
    return text[:1].upper() + text[1:]


def name_in(content: Mapping[str, Any]) -> str:
    """Return what the act was about, from its facts or from the row it changed; empty if unsaid."""
    changed = [change.get("new") or change.get("old") or {} for change in content["changes"]]
    for facts in (content.get("data") or {}, *changed):
        for name in NAMES:
            if isinstance(facts.get(name), str) and facts[name]:
                return facts[name].replace("_", " ") if name == "role" else facts[name]
    return ""


def as_text(value: Any) -> str:
    """Return one value as read by people; a quantity with its unit, nothing as empty text.

    Personal text is opened, or said to be erased.
    """
    if personal.is_token(value):
        return personal.shown(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict) and set(value) == {"value", "unit"}:
        return f"{value['value']} {value['unit']}".strip()
    return str(value)


def lines(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path in words, text) for each leaf of an object, depth first."""
    if isinstance(value, dict) and value and set(value) != {"value", "unit"}:
        for name, inner in value.items():
            yield from lines(inner, f"{path} › {name}" if path else name)
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for number, inner in enumerate(value, 1):
            yield from lines(inner, f"{path} {number}")
    elif isinstance(value, list):
        yield path.replace("_", " "), ", ".join(map(as_text, value))
    else:
        yield path.replace("_", " "), as_text(value)
