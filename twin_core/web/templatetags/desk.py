"""Template tags of the desk: a state, a time, a digest, a quantity or a person looks the same
wherever it is shown.

Loaded by ``{% load desk %}``; the settings name this library, as the desk is no application.
"""

import math
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.forms import BoundField
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from twin_core.web import icons
from twin_core.web.states import key_of, look_of

register = template.Library()

UNITS_SHOWN = {
    "1e6 cells/mL": "10⁶ cells/mL",
    "degC": "°C",
    "um": "µm",
    "pH": "",
    "1": "",
    "% air saturation": "% air sat.",
}
PLAIN = re.compile(r"-?\d+(\.\d+)?")
UUID_TAIL = re.compile(r"([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MISSING = SafeString('<span class="missing">—<span class="visually-hidden">no value</span></span>')


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return the named icon; a name that is not drawn raises KeyError."""
    return icons.icon(name)


@register.simple_tag
def state_badge(state: str | None, label: str = "") -> SafeString:
    """Return a badge of icon and word in the tone of ``state``; ``label`` replaces the word."""
    if not state:
        return MISSING
    tone, name = look_of(state)
    word = label or key_of(state).replace("_", " ")
    return format_html('<span class="badge tone-{}">{}{}</span>', tone, icons.icon(name), word)


@register.filter
def tone(state: str) -> str:
    return look_of(state).tone


@register.filter
def state_icon(state: str) -> SafeString:
    return icons.icon(look_of(state).icon)


@register.filter
def field_of(mapping: Any, key: str) -> Any:
    """Return ``mapping[key]`` or None; for keys that hold a dot or a space."""
    return mapping.get(key)


def site_zone() -> ZoneInfo:
    return ZoneInfo(settings.SITE_TIME_ZONE)


@register.simple_tag
def when(moment: datetime | None, seconds: bool = True) -> SafeString:
    """Return wall-clock time in UTC with the site's time beside it.

    ``moment`` must be aware; a naive time raises ValueError, because its zone would be a guess.
    """
    if moment is None:
        return MISSING
    if timezone.is_naive(moment):
        raise ValueError(f"{moment} has no time zone; times on the desk are aware")
    clock = "%H:%M:%S" if seconds else "%H:%M"
    utc, site = moment.astimezone(UTC), moment.astimezone(site_zone())
    site_form = clock if site.date() == utc.date() else f"%Y-%m-%d {clock}"
    return format_html(
        '<time class="when" datetime="{}">{}&nbsp;<abbr class="when-zone">UTC</abbr>'
        '<span class="when-site">{}&nbsp;<span class="when-zone">{}</span></span></time>',
        utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        utc.strftime(f"%Y-%m-%d {clock}"),
        site.strftime(site_form),
        site.tzname(),
    )


@register.filter
def span(seconds: float | None) -> str:
    """Return a length of wall time in two units at most: ``3 min 5 s``; None gives a dash."""
    if seconds is None:
        return "—"
    left = max(0, round(float(seconds)))
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}\N{NO-BREAK SPACE}{unit}")
    return " ".join(parts[:2])


@register.filter
def age(moment: datetime | None) -> str:
    """Return how long ago an aware time was, in words."""
    return "—" if moment is None else span((timezone.now() - moment).total_seconds())


@register.filter
def until_words(moment: datetime | None) -> str:
    """Return how long it is until an aware time, in words; past times say ``expired``."""
    if moment is None:
        return "—"
    left = (moment - timezone.now()).total_seconds()
    return span(left) if left > 0 else "expired"


@register.filter
def waiting_words(count: int) -> str:
    return f"{count} waiting"


@register.simple_tag
def process_time(hours: Any) -> SafeString:
    """Return process time (hours since inoculation) marked as such: it is not the wall clock."""
    if hours is None or hours == "":
        return MISSING
    return format_html(
        '<span class="process-time">{}&nbsp;{}&nbsp;<span class="unit">h process</span></span>',
        icons.icon("process"),
        f"{float(hours):.1f}",
    )


def in_digits(value: str | float, digits: int) -> str:
    """Return ``value`` with at most ``digits`` significant digits; text that has fewer stays."""
    if isinstance(value, str) and PLAIN.fullmatch(value):
        told = value.strip("-").replace(".", "").lstrip("0")
        if len(told) <= digits:
            return value
    value = float(value)
    if not math.isfinite(value):
        return str(value)
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.{digits - 1}e}"
    places = digits - 1 - (math.floor(math.log10(abs(value))) if value else 0)
    return f"{value:,.{max(0, places)}f}".replace(",", "\N{THIN SPACE}")


@register.filter
def unit_shown(unit: str | None) -> str:
    """Return a unit as printed; the stored spelling stays in the record."""
    return UNITS_SHOWN.get(unit or "", unit or "")


@register.simple_tag
def quantity(value: Any, unit: str = "", digits: int = 4) -> SafeString:
    """Return a value with its unit; ``value`` is a number or its text in the ledger.

    The stored text stays in ``data-exact``; what is shown is rounded to ``digits``.
    """
    if value is None or value == "":
        return MISSING
    shown = unit_shown(unit)
    mark = format_html('&nbsp;<span class="unit">{}</span>', shown) if shown else ""
    return format_html(
        '<span class="quantity" data-exact="{}">{}{}</span>',
        str(value),
        in_digits(value, digits),
        mark,
    )


@register.simple_tag(name="hash")
def hash_chip(digest: str | bytes | None, href: str = "", full: bool = False) -> SafeString:
    """Return a digest as a chip with a button that copies all of it; ``href`` links its record."""
    if not digest:
        return MISSING
    text = digest.hex() if isinstance(digest, bytes | memoryview) else str(digest)
    shown = text if full else f"{text[:10]}…"
    inner = format_html('<a href="{}">{}</a>', href, shown) if href else shown
    return format_html(
        '<span class="hash{}"><code>{}</code><button type="button" class="copy" data-copy="{}"'
        ' aria-label="Copy {}" title="{}">{}</button></span>',
        " hash-full" if full else "",
        inner,
        text,
        f"digest {text[:10]}",
        text,
        icons.icon("copy"),
    )


@register.filter
def stream_shown(stream: str) -> str:
    """Return a stream's name with a UUID in it cut to its first eight digits."""
    return UUID_TAIL.sub(r"\1…", stream)


@register.simple_tag
def person(who: Any) -> SafeString:
    """Return who acted: ``who`` has ``name`` and ``kind`` (person, process or os_user), as the
    actor of a record has; its printed name stands as it was at the time of the act.
    """
    if not who:
        return MISSING
    read = who.get if isinstance(who, dict) else lambda key, default="": getattr(who, key, default)
    kind = read("kind", "person") or "person"
    note = "process" if kind == "process" else ""  # the operating system's users say so by name
    name = read("name", "") or read("printed_name", "") or str(who)
    if not note:
        return format_html('<span class="person">{}</span>', name)
    return format_html('<span class="person">{} <span class="unit">{}</span></span>', name, note)


@register.inclusion_tag("web/_field.html")
def field(bound: BoundField, help: str = "", css: str = "", quiet: bool = False) -> dict[str, Any]:
    """Render one form field: label, control, help and errors, tied together for screen readers.

    ``quiet`` leaves out the word "optional", where all fields of a form are.
    """
    return {
        "field": bound,
        "help": help or bound.help_text,
        "css": css,
        "is_optional": not (bound.field.required or quiet),
    }
