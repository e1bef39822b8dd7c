"""Sample pages of the desk: queue, batches, health."""

import math
from datetime import timedelta
from functools import partial
from typing import Any

from audit.pages import SigningDialog
from tests.web.samples import FEED, HARVEST, NOW, LabForm, SigningForm, ago, dialog
from twin_core.web import pages as web
from twin_core.web import status


def curve(t: float) -> float:
    return 18 / (1 + math.exp(-(t - 110) / 24)) * math.exp(-max(0.0, t - 190) / 260)


MARKS = [
    {"time": 48, "label": "Feed 1"},
    {"time": 96, "label": "Shift to 33 °C"},
    {"time": 144, "label": "Feed 2"},
]


def chart(name: str, title: str, unit: str, scale: float = 1.0, **more: Any) -> dict[str, Any]:
    now = 168.0
    online = [[t / 2, round(scale * curve(t / 2), 3)] for t in range(337)]
    band = [
        [
            t,
            *(
                round(scale * curve(t) * f, 3)
                for f in (1, 1 - (t - now) / 900, 1 + (t - now) / 900)
            ),
        ]
        for t in range(168, 337, 4)
    ]
    laboratory = [
        [t, round(scale * curve(t) * (1 + 0.05 * math.sin(t)), 2)] for t in range(0, 168, 12)
    ]
    return {
        "id": name,
        "title": title,
        "unit": unit,
        "now": now,
        "x_min": 0,
        "x_max": 336,
        "zero": True,
        "series": [
            {"key": "estimate", "label": "Estimate", "kind": "line", "points": online},
            {"key": "forecast", "label": "Forecast, 90 % band", "kind": "band", "points": band},
            {
                "key": "lab",
                "label": "Laboratory",
                "kind": "points",
                "colour": 2,
                "points": laboratory,
            },
        ],
        "events": MARKS,
        **more,
    }


def metabolites() -> dict[str, Any]:
    line = lambda key, label, colour, f: {  # noqa: E731
        "key": key,
        "label": label,
        "kind": "line",
        "colour": colour,
        "points": [[t, round(f(t), 2)] for t in range(0, 169, 2)],
    }
    return {
        "id": "metabolites",
        "title": "Metabolites",
        "unit": "mM",
        "now": 168.0,
        "x_min": 0,
        "x_max": 336,
        "dashByColour": True,
        "series": [
            line("glucose", "Glucose", 4, lambda t: 32 - 0.1 * t + 3 * math.sin(t / 18)),
            line("lactate", "Lactate", 2, lambda t: 18 * math.exp(-(((t - 90) / 50) ** 2))),
            line("ammonia", "Ammonia", 3, lambda t: 1 + t / 60),
        ],
        "limits": [{"label": "Lower limit of glucose 10 mM", "value": 10, "tone": "bad"}],
        "events": [],
    }


def queue(n: int = 2) -> list[web.QueueRow]:
    row = partial(web.QueueRow, href="/r", batch_href="/b")
    return [
        row(
            title=FEED,
            batch="B-0201",
            since=ago(minutes=3, seconds=20),
            risk="high",
            state="proposed",
            waits_for="your review",
            expires_at=NOW + timedelta(minutes=6),
            expires_h=180.0,
            effect="Titer at the end 4.9 instead of 4.3 g/L (90 % band 4.5 to 5.3)",
            note="Ben Okafor is reading it too",
        ),
        row(
            title=HARVEST,
            batch="B-0101",
            since=ago(minutes=1),
            risk="medium",
            state="proposed",
            waits_for="a second signature",
            expires_at=NOW + timedelta(minutes=18),
            effect="Viability at harvest 91 instead of 78 % (90 % band 86 to 94)",
        ),
    ][:n]


def tiles() -> list[web.BatchTile]:
    readings = [
        ("Viable cells", "14.2034", "1e6 cells/mL"),
        ("Viability", "94.1", "%"),
        ("Glucose", "12.43", "mM"),
        ("Titer", "2.31", "g/L"),
    ]
    return [
        web.BatchTile(
            "/b",
            "B-0101",
            "BR-101",
            "running",
            "undecided",
            168.0,
            336.0,
            "advise",
            "recorded culture",
            readings[:2],
        ),
        web.BatchTile(
            "/b",
            "B-0201",
            "BR-201",
            "running",
            "decided",
            201.5,
            336.0,
            "supervised_write",
            "simulated plant",
            readings,
            2,
        ),
    ]


def desk(empty: bool = False) -> dict[str, Any]:
    if empty:
        return {"page": web.DeskPage([], batches=tiles())}
    return {"page": web.DeskPage(queue(), batches=tiles())}


def batches() -> dict[str, Any]:
    start = dialog("start", LabForm(), "Start a batch", needs_signature=False, submit_label="Start")
    return {"page": web.BatchesPage(tiles(), tiles()[:1], start)}


def tables() -> dict[str, Any]:
    """Tags, laboratory values, events, quarantine and yesterday's forecast."""
    tag = partial(web.TagRow, received_at=ago(seconds=3), taken_h=168.0, source="on line")
    lab = partial(web.LabRow, sampled_h=162.0, received_h=164.5, entered_by="laboratory", href="/r")
    held = partial(web.QuarantineRow, received_at=ago(minutes=20), href="/r", release_href="/c")
    oxygen = "% air saturation"
    return {
        "tags": [
            tag("temperature", "Temperature", "36.52", "degC", quality="good"),
            tag("dissolved_oxygen", "Dissolved oxygen", "41.2", oxygen, quality="stale"),
            tag("ph", "pH", "7.04", "pH", quality="good"),
        ],
        "laboratory": [
            lab("Glucose", "12.43", "mM", correct_href="/c"),
            lab("Lactate", "1.91", "mM", replaces="19.1", reason="Decimal point mistyped"),
        ],
        "events": [web.EventRow(48, "Feed 1, 0.35 L/d", "/r"), web.EventRow(96, "Shift to 33 °C")],
        "quarantine": [
            held("pH", "NaN", "pH", taken_h=151.2, reason="not a number", state="quarantined")
        ],
        "yesterday": [
            web.Yesterday("Viable cells", 144, 168, 14.8, 13.1, 16.2, 14.2, "1e6 cells/mL", True),
            web.Yesterday("Viability", 144, 168, 97.1, 95.9, 98.0, 94.1, "%", False),
        ],
    }


def batch_dialogs(lab_open: bool) -> list[SigningDialog]:
    enter = dialog(
        "lab",
        LabForm(),
        "Enter a laboratory value",
        needs_signature=False,
        submit_label="Enter",
        is_open=lab_open,
    )
    close = dialog(
        "close", SigningForm(), "Close the batch", is_danger=True, submit_label="Close and sign"
    )
    return [enter, close]


def batch(lab_open: bool = False, stream: str = "") -> dict[str, Any]:
    limits = [{"label": "Design limit 16", "value": 16, "tone": "warn"}]
    page = web.BatchPage(
        name="B-0201",
        unit="BR-201",
        state="running",
        label="simulated plant",
        trust="supervised_write",
        product="CHO fed-batch",
        started_at=ago(hours=2),
        process_h=168.0,
        planned_h=336.0,
        speed=84.0,
        verdict="undecided",
        undecided=[
            "The last cell count (164.5 h) lies outside the band of the estimate.",
            "Dissolved oxygen is stale: no reading for 42 s.",
        ],
        charts=[
            chart("vcd", "Viable cell density", "10⁶ cells/mL", limits=limits),
            metabolites(),
        ],
        recommendations=queue(),
        **tables(),
        model="cho-201 v3",
        model_href="/m",
        trail_href="/t",
        csv_href="/c",
        dialogs=batch_dialogs(lab_open),
        can_enter=True,
        can_close=True,
        is_live=True,
        live_href=stream,
        charts_href="/live/charts",
    )
    return {"page": page, "crumbs": [("Batches", "/b"), ("B-0201", "")]}


def health() -> dict[str, Any]:
    tile = web.HealthTile
    page = web.HealthPage(
        [
            tile(
                "Sealer",
                "running",
                "38 ms",
                "Longest time a record waited for its place in the chain.",
                facts=[("Waiting", "0")],
            ),
            tile("Checkpoint", "running", "2 s old", "Also kept outside the database."),
            tile(
                "Worker",
                "running",
                "1 of 1",
                "Estimates and forecasts are up to date.",
                facts=[("Outbox", "0 waiting")],
            ),
            tile(
                "Connector",
                "late",
                "42 s",
                "Since the last reading of BR-201. Look at the plant's server.",
                ago(seconds=42),
            ),
            tile(
                "Write gate",
                "failed",
                "no answer",
                "Nothing is written. It restarts by itself; call if it does not.",
                ago(seconds=8),
            ),
            tile("Disk", "running", "71 % free", "412 GB free of 580 GB."),
            tile("Clock", "running", "+0.3 ms", "Between the database and this machine."),
        ],
        NOW,
        sample_report().processes,
    )
    return {"page": page}


def sample_report() -> status.Report:
    state = status.ProcessState
    return status.Report(
        (
            state("postgres", "ready", ago(hours=2), 0),
            state("gate", "restarting", ago(seconds=8), 3),
        ),
    )
