"""The contrast of the design tokens, computed as WCAG 2.2 defines it, in both colour schemes."""

import re

import pytest

from tests.web.gallery import STATIC

TEXT, PART = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11
GROUNDS = ("paper", "surface", "surface-2", "surface-hover")
TONES = ("ok", "warn", "bad", "info", "wait", "off")
PAIRS = [
    *((ink, ground, TEXT) for ink in ("ink", "ink-2", "ink-3") for ground in GROUNDS),
    *((tone, f"{tone}-soft", TEXT) for tone in TONES),
    *(("ink", f"{tone}-soft", TEXT) for tone in TONES),
    *((ink, "surface", TEXT) for ink in ("accent", "accent-hover", "danger", "bad", "warn", "ok")),
    ("accent", "paper", TEXT),
    ("accent", "surface-2", TEXT),
    ("ink", "accent-soft", TEXT),
    ("accent", "accent-soft", TEXT),
    ("accent-ink", "accent", TEXT),
    ("accent-ink", "accent-hover", TEXT),
    ("danger-ink", "danger", TEXT),
    ("danger-ink", "danger-hover", TEXT),
    ("danger-hover", "bad-soft", TEXT),
    *((ink, ground, TEXT) for ink in ("bar-ink", "bar-ink-2") for ground in ("bar", "bar-2")),
    ("bar-mark", "bar", PART),
    ("bar-focus", "bar", PART),
    ("line-strong", "surface", PART),
    ("line-strong", "paper", PART),
    *(("focus", ground, PART) for ground in GROUNDS),
    *((f"chart-{n}", "surface", PART) for n in range(1, 7)),
    ("chart-axis", "surface", TEXT),
    ("chart-event", "surface", PART),
    ("chart-now", "surface", PART),
]


def schemes() -> dict[str, dict[str, str]]:
    """Return the hexadecimal tokens of each scheme; the dark one keeps what it does not change."""
    light, dark = (STATIC / "web" / "tokens.css").read_text("utf-8").split("@media", 1)
    token = re.compile(r"--([\w-]+):\s*(#[0-9a-f]{6})\b", re.IGNORECASE)
    first = dict(token.findall(light))
    return {"light": first, "dark": first | dict(token.findall(dark))}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.requirement("URS-WEB-023")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_pair_in_use_has_its_contrast(scheme):
    tokens = schemes()[scheme]
    short = [
        (ink, ground, round(found, 2))
        for ink, ground, least in PAIRS
        if (found := contrast(tokens[ink], tokens[ground])) < least
    ]
    assert short == []


def test_contrast_is_that_of_the_definition():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # just too little
    assert contrast("#abcdef", "#abcdef") == 1
