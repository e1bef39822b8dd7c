"""Tags and other names of the ledger as the desk writes them for people."""

from typing import Any

TAGS = {
    "viable_cell_density": "Viable cell density",
    "viability": "Viability",
    "mean_cell_diameter": "Mean cell diameter",
    "glucose": "Glucose",
    "glutamine": "Glutamine",
    "lactate": "Lactate",
    "ammonia": "Ammonia",
    "titer": "Titer",
    "temperature": "Temperature",
    "ph": "pH",
    "dissolved_oxygen": "Dissolved oxygen",
    "volume": "Volume",
    "feed.flow": "Feed flow",
    "feed.rate": "Feed rate, set point",
    "temperature.setpoint": "Temperature, set point",
    "ph.setpoint": "pH, set point",
    "dissolved_oxygen.setpoint": "Dissolved oxygen, set point",
    "harvest": "Harvest",
}
LABELS = {"simulated": "simulated plant", "recorded": "recorded culture", "plant": ""}


def tag_words(tag: str) -> str:
    """Return a tag in words; one that has none is written as it is."""
    return TAGS.get(tag, tag.replace("_", " ").replace(".", " "))


def short(value: Any, digits: int = 4) -> str:
    """Return a number or its text with few digits and no exponent, for running text."""
    return f"{float(value):.{digits}g}"


def sentence(text: str) -> str:
    """Return words with a capital and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
