"""Every page of the desk with sample contexts, made by Django's engine without a database.

`python -m tests.web.gallery` serves them at localhost under the product's policy, to look at.
Each value here is made up for the picture; none of it is a claim about the product.
"""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "twin_core" / "web" / "static"
TEMPLATE_DIRS = [
    ROOT / "twin_core" / "web" / "templates",
    *(ROOT / name / "templates" for name in ("audit", "models_registry", "validation")),
]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def configure() -> None:
    """Give Django what templates need, unless the suite has configured it already."""
    if not settings.configured:
        settings.configure(
            STATIC_URL="/static/",
            SITE_TIME_ZONE="Europe/Zurich",
            USE_TZ=True,
            USE_I18N=False,
            SECRET_KEY="gallery",
            DATA_DIR=str(ROOT / "data"),
        )
        import django

        django.setup()


configure()

from django.template.backends.django import DjangoTemplates  # noqa: E402

from audit import pages as audit  # noqa: E402
from models_registry import pages as registry  # noqa: E402
from twin_core.web import pages as web  # noqa: E402
from twin_core.web import status  # noqa: E402
from audit.head import Head
from twin_core.web.shell import NAVIGATION, NavItem, Shell  # noqa: E402
from validation import pages as validation  # noqa: E402

ENGINE = DjangoTemplates(
    {
        "NAME": "gallery",
        "DIRS": [str(path) for path in TEMPLATE_DIRS],
        "APP_DIRS": False,
        "OPTIONS": {"libraries": {"desk": "twin_core.web.templatetags.desk"}},
    }
)
NOW = datetime.now(UTC).replace(microsecond=123456)
ANNA = {"id": "0192", "kind": "person", "name": "Anna Meier"}
WORKER = {"id": "worker", "kind": "process", "name": "worker"}
HARVEST = "Harvest at 288 h instead of 336 h"
FEED = "Raise the feed from 0.35 to 0.42 L/d"


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def digest(seed: int) -> str:
    return f"{abs(hash((seed, 'x'))):016x}" * 4 if seed < 0 else f"{seed:02x}9f3c7a51be04d6" * 4


def shell(section: str) -> Shell:
    nav = tuple(
        NavItem(label, f"/{key}", key, label == section, 2 if label == "Desk" else 0)
        for label, _, key in NAVIGATION
    )
    return Shell(
        site_name="Demonstration site",
        site_zone="Europe/Zurich",
        now=NOW,
        version="0.1.0",
        build=digest(7),
        nav=nav,
        roles=("QA reviewer", "auditor"),
        printed_name="Anna Meier",
        head=Head(18_204, ago(seconds=2)),
        session_ends_at=NOW + timedelta(minutes=14),
        sign_out_href="/sign-out",
    )


class TrailForm(forms.Form):
    text = forms.CharField(label="Search in words, reason and payload", required=False)
    person = forms.ChoiceField(choices=[("", "anyone"), ("a", "Anna Meier")], required=False)
    kind = forms.ChoiceField(choices=[("", "all"), ("s", "audit.signature")], required=False)
    stream = forms.CharField(label="Batch or stream", required=False)
    since = forms.DateTimeField(label="From (UTC)", required=False)
    until = forms.DateTimeField(label="To (UTC)", required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, label_suffix="", **options)
        self.fields["text"].widget.attrs["data-search"] = True
        for field in self.fields.values():
            field.required = True  # filters are all optional: the word would only be noise


class SigningForm(forms.Form):
    meaning = forms.ChoiceField(choices=[("approval", "approval"), ("review", "review")])
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}))
    password = forms.CharField(widget=forms.PasswordInput)
    code = forms.CharField(
        label="One-time code",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code"}),
    )


class RejectForm(SigningForm):
    meaning = None  # type: ignore[assignment]
    reason_code = forms.ChoiceField(
        label="Reason", choices=[("R1", "R1 Input is doubtful"), ("R2", "R2 Not feasible now")]
    )
    reason = forms.CharField(label="In your words", widget=forms.Textarea(attrs={"rows": 3}))
    field_order = ["reason_code", "reason", "password", "code"]


class SignInForm(forms.Form):
    username = forms.CharField(label="User name")
    password = forms.CharField(widget=forms.PasswordInput)
    code = forms.CharField(label="One-time code", help_text="Six digits from your authenticator.")


class LabForm(SigningForm):
    meaning = None  # type: ignore[assignment]
    tag = forms.ChoiceField(label="What", choices=[("glucose", "Glucose, mM")])
    value = forms.CharField()
    sampled = forms.CharField(label="Sampled at, h process time")
    field_order = ["tag", "value", "sampled", "reason"]


class AsOfForm(forms.Form):
    as_of = forms.DateTimeField(label="As of (UTC)", required=False)


def dialog(name: str, form: forms.Form, title: str, **more: Any) -> audit.SigningDialog:
    return audit.SigningDialog(
        id=name,
        title=title,
        action_href="/act",
        statement="I have read the recommendation and what it rests on, and approve that it is "
        "written to BR-201.",
        view_digest=digest(3),
        printed_name="Anna Meier",
        form=form,
        **more,
    )


def trail(rows: int = 18, filtered: bool = False) -> dict[str, Any]:
    acts = [
        (f"Recommendation “{FEED}” approved", "twin_core.recommendation.approved", "batch/B-0201"),
        ("Forecast made to 336 h", "twin_core.forecast.made", "batch/B-0201"),
        ("Signed in", "audit.session.opened", "people"),
        ("Sign-in refused: wrong password or code", "audit.session.refused", "people"),
        ("Data segment sealed, 214 samples", "twin_core.segment.sealed", "batch/B-0101"),
    ]
    made = [
        audit.TrailRow(
            href=f"/record/{n}",
            recorded_at=ago(seconds=40 * n),
            sequence=None if n == 0 else 18_204 - n,
            actor=WORKER if n % 5 in (1, 4) else ANNA,
            words=acts[n % 5][0],
            kind=acts[n % 5][1],
            stream=acts[n % 5][2],
            reason="Lactate falls, glucose stays above 10 mM" if n % 5 == 0 else "",
            leaf=digest(n),
            is_signed=n % 5 == 0,
        )
        for n in range(rows)
    ]
    chips = [audit.Chip("Person: Anna Meier", "/t"), audit.Chip("Since 2026-11-23", "/t")]
    pages = audit.Pages(rows, total=1204, newer_href="/t", older_href="/t")
    page = audit.TrailPage(
        TrailForm(), made, pages, chips if filtered else (), clear_href="/t", export_href="/x"
    )
    return {"page": page}


def signatures() -> list[audit.SignatureLine]:
    line = partial(audit.SignatureLine, view_digest=digest(3), href="/record/4")
    return [
        line("Anna Meier", "review", ago(minutes=12), reason="Consistent with the last two days."),
        line(
            "Ben Okafor",
            "approval",
            ago(minutes=4),
            is_valid=False,
            problem="The forecast behind it was corrected at 20:31 UTC; this counts as unsigned.",
        ),
    ]


def record() -> dict[str, Any]:
    changes = [
        audit.Change("state", "proposed", "approved"),
        audit.Change("approved_at", "", "2026-11-24T20:38:05.000000Z"),
        audit.Change("setpoint", "0.42 L/d", "0.42 L/d", is_same=True),
    ]
    relative = audit.Relative
    page = audit.RecordPage(
        id="019ab3c4-7f0e-7b1c-9c55-0a3d2b1f4e66",
        words=f"Recommendation “{FEED}” approved",
        kind="twin_core.recommendation.approved",
        stream="batch/B-0201",
        stream_href="/t",
        actor=ANNA,
        occurred_at=ago(minutes=4, seconds=1),
        recorded_at=ago(minutes=4),
        sequence=18_190,
        transaction="92817",
        leaf=digest(5),
        raw='{"actor":{"id":"0192","kind":"person","name":"Anna Meier"},"blobs":[],"changes":[{"new":'
        '{"state":"approved"},"old":{"state":"proposed"},"subject":{"id":"019a","type":'
        '"twin_core.Recommendation"}}],"data":null,"kind":"twin_core.recommendation.approved",'
        '"v":1}',
        proof=audit.Proof(
            "proved",
            "This record is in the sealed ledger: its inclusion proof leads to the root that the "
            "last checkpoint signs.",
            block=4102,
            tree_size=18_204,
            root=digest(9),
            hashes=[digest(n) for n in range(20, 34)],
            checkpoint_at=ago(seconds=2),
        ),
        reason="Lactate falls, glucose stays above 10 mM",
        source={"address": "10.0.4.17", "process": "web", "session": "5f3a", "software": "0.1.0"},
        changes=[audit.SubjectChanges("Recommendation", "019ab3c4-7f0e", changes, href="/r")],
        data=[("setpoint value", "0.42 L/d"), ("margin to the limit", "0.18 L/d")],
        parents=[
            relative(digest(11), "Forecast made to 336 h", ago(minutes=14), "/record/2"),
            relative(digest(12), "Model version cho-201 v3 in force"),
        ],
        children=[relative(digest(13), "Set point written and confirmed", ago(minutes=3), "/r")],
        blobs=[(digest(14), "/blob")],
        signatures=signatures(),
        download_href="/d",
    )
    return {"page": page, "crumbs": [("Trail", "/t"), ("batch/B-0201", "/t"), ("18190", "")]}


def curve(t: float) -> float:
    return 18 / (1 + math.exp(-(t - 110) / 24)) * math.exp(-max(0.0, t - 190) / 260)


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
        "events": [
            {"time": 48, "label": "Feed 1"},
            {"time": 96, "label": "Shift to 33 °C"},
            {"time": 144, "label": "Feed 2"},
        ],
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
        web.BatchTile("/b", "B-0101", "BR-101", "running", "undecided", 168.0, 336.0, "advise", "recorded culture", readings[:2]),
        web.BatchTile("/b", "B-0201", "BR-201", "running", "decided", 201.5, 336.0, "supervised_write", "simulated plant", readings, 2),
    ]  # fmt: skip


def desk(empty: bool = False) -> dict[str, Any]:
    if empty:
        return {"page": web.DeskPage([], batches=tiles())}
    return {"page": web.DeskPage(queue(), batches=tiles())}


def batches() -> dict[str, Any]:
    start = dialog("start", LabForm(), "Start a batch", needs_signature=False, submit_label="Start")
    return {"page": web.BatchesPage(tiles(), tiles()[:1], start)}


def batch(lab_open: bool = False) -> dict[str, Any]:
    limits = [{"label": "Design limit 16", "value": 16, "tone": "warn"}]
    tag = partial(web.TagRow, received_at=ago(seconds=3), taken_h=168.0, source="on line")
    lab = partial(web.LabRow, sampled_h=162.0, received_h=164.5, entered_by="laboratory", href="/r")
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
        tags=[
            tag("temperature", "Temperature", "36.52", "degC", quality="good"),
            tag("dissolved_oxygen", "Dissolved oxygen", "41.2", "% air saturation", quality="stale"),
            tag("ph", "pH", "7.04", "pH", quality="good"),
        ],
        laboratory=[
            lab("Glucose", "12.43", "mM", correct_dialog="lab"),
            lab("Lactate", "1.91", "mM", replaces="19.1", reason="Decimal point mistyped"),
        ],
        events=[web.EventRow(48, "Feed 1, 0.35 L/d", "/r"), web.EventRow(96, "Shift to 33 °C")],
        quarantine=[
            web.QuarantineRow("pH", "NaN", "pH", 151.2, "not a number", ago(minutes=20), "quarantined", "/r", "lab"),
        ],
        yesterday=[
            web.Yesterday("Viable cells", 144, 168, 14.8, 13.1, 16.2, 14.2, "1e6 cells/mL", True),
            web.Yesterday("Viability", 144, 168, 97.1, 95.9, 98.0, 94.1, "%", False),
        ],
        model="cho-201 v3",
        model_href="/m",
        trail_href="/t",
        csv_href="/c",
        dialogs=[
            dialog("lab", LabForm(), "Enter a laboratory value", needs_signature=False, submit_label="Enter", is_open=lab_open),
            dialog("close", SigningForm(), "Close the batch", is_danger=True, submit_label="Close and sign"),
        ],
        can_enter=True,
        can_close=True,
        is_live=True,
    )  # fmt: skip
    return {"page": page, "crumbs": [("Batches", "/b"), ("B-0201", "")]}


def effect_chart() -> dict[str, Any]:
    base = chart("effect", "Titer", "g/L", scale=0.26)
    forecast = base["series"][1]
    untouched = [
        [t, *(round(v * (1 - (t - 168) / 1400), 3) for v in rest)]
        for t, *rest in forecast["points"]
    ]
    base["series"] = [
        base["series"][0],
        {**forecast, "label": "With the advice, 90 % band", "dashed": False},
        {"key": "untouched", "label": "Doing nothing, 90 % band", "kind": "band", "colour": 2, "points": untouched},
    ]  # fmt: skip
    base["limits"] = [{"label": "Target 4.2 g/L", "value": 4.2, "tone": "ok"}]
    return base


def recommendation(
    state: str = "proposed", opened: str = "", wrong: bool = False
) -> dict[str, Any]:
    filled = SigningForm({"meaning": "approval", "reason": ""}) if wrong else SigningForm()
    if wrong:
        filled.add_error(
            None, "The code was used before. Wait for the next one; nothing was signed."
        )
    dialogs = [
        dialog("sign", filled, "Approve and sign", submit_label="Sign approval", is_open=opened == "sign", code_ready_at=NOW + timedelta(seconds=22)),
        dialog("reject", RejectForm(), "Reject", submit_label="Sign rejection", is_danger=True, is_open=opened == "reject"),
        dialog("return", SigningForm(), "Return with a question", submit_label="Return", needs_signature=False),
    ]  # fmt: skip
    link = web.InputLink
    page = web.RecommendationPage(
        id="019ab3c4-7f0e-7b1c-9c55-0a3d2b1f4e66",
        title=FEED,
        state=state,
        risk="high",
        batch="B-0201",
        batch_href="/b",
        why=[
            "Glucose is forecast to fall below 10 mM at 214 h, before the next planned feed.",
            "With the higher feed it stays above 11 mM to the end, while lactate stays below 4 mM.",
        ],
        moves=[web.Move("Feed rate", "L/d", "0.35", "0.42", None, "0.20 to 0.60 L/d")],
        effects=[
            web.Effect("Titer", "g/L", 4.9, 4.5, 5.3, 4.3, 3.9, 4.7, "≥ 4.2 g/L", True),
            web.Effect("Viability", "%", 84, 79, 88, 83, 77, 88, "≥ 80 %", True),
            web.Effect("Lactate", "mM", 3.1, 2.2, 4.4, 2.6, 1.8, 3.7, "≤ 4 mM", False),
        ],
        confidence="The advice is better in 93 of 100 members of the stored posterior sample.",
        issued_h=168.0,
        issued_at=ago(minutes=3),
        expires_h=180.0,
        expires_at=NOW + timedelta(minutes=6),
        chart=effect_chart(),
        verdicts=[
            web.Verdict("glucose lies inside the calibrated range", "holds", "12.4 mM", "2 to 45 mM"),
            web.Verdict("the last count fits the estimate", "broken", "3.1 σ", "≤ 3 σ"),
            web.Verdict("the oxygen supply is not limiting", "not_checked"),
        ],
        inputs=[
            link("Forecast at 168.0 h", "made from the estimate of 168.0 h", digest(1), "/r"),
            link("Data segment 160 to 168 h", "214 samples, 2 in quarantine", digest(2), "/r"),
            link("Laboratory, glucose 12.43 mM", "sampled at 162.0 h", digest(4), "/r"),
        ],
        model="cho-201 v3",
        model_href="/m",
        model_digest=digest(6),
        view_digest=digest(3),
        label="simulated plant",
        needs="One QA reviewer signs. Then the write gate checks it again by itself.",
        dialogs=dialogs if state == "proposed" else [],
        signatures=[] if state == "proposed" else signatures()[:1],
        steps=[
            web.StepRow("proposed", "Proposed", ago(minutes=3), "worker", href="/r"),
            *([] if state == "proposed" else [
                web.StepRow("approved", "Approved", ago(minutes=2), "Anna Meier", "Consistent with the last two days."),
                web.StepRow("written", "Written to BR-201", ago(minutes=2), "write gate"),
                web.StepRow("confirmed", "Read back 0.42 L/d and confirmed", ago(minutes=1), "write gate"),
            ]),
        ],
        alternatives=[("Feed 0.50 L/d", "lactate would pass 4 mM in 38 of 100 members")],
        capsule_digest="" if state == "proposed" else digest(8),
        capsule_href="/c",
        decision_href="/d",
        record_href="/r",
        notice="Ben Okafor opened this item 40 s ago; if he decides first, you are told here.",
    )  # fmt: skip
    crumbs = [("Batches", "/b"), ("B-0201", "/b"), ("Recommendation", "")]
    return {"page": page, "crumbs": crumbs}


def health() -> dict[str, Any]:
    tile = web.HealthTile
    page = web.HealthPage(
        [
            tile("Sealer", "running", "38 ms", "Longest time a record waited for its place in the chain.", facts=[("Waiting", "0")]),
            tile("Checkpoint", "running", "2 s old", "Also kept outside the database."),
            tile("Worker", "running", "1 of 1", "Estimates and forecasts are up to date.", facts=[("Outbox", "0 waiting")]),
            tile("Connector", "late", "42 s", "Since the last reading of BR-201. Look at the plant's server.", ago(seconds=42)),
            tile("Write gate", "failed", "no answer", "Nothing is written. It restarts by itself; call if it does not.", ago(seconds=8)),
            tile("Disk", "running", "71 % free", "412 GB free of 580 GB."),
            tile("Clock", "running", "+0.3 ms", "Between the database and this machine."),
        ],
        NOW,
        sample_report().processes,
    )  # fmt: skip
    return {"page": page}


def sample_report() -> status.Report:
    state = status.ProcessState
    return status.Report(
        (state("postgresql", "running", ago(hours=2), 0), state("gate", "restarting", ago(seconds=8), 3)),
    )  # fmt: skip


def models() -> dict[str, Any]:
    row = partial(registry.VersionRow, href="/m", template="cho_fed_batch", since=ago(days=3))
    rows = [
        row(name="cho-201 v3", phase="in_force", digest=digest(1), impact="medium", score="VCD RMSE 6.9 % of range", label="simulated", used_by="BR-201"),
        row(name="nistcho v1", phase="validated", digest=digest(2), impact="low", score="VCD RMSE 7.8 % of range"),
        row(name="cho-201 v2", phase="retired", digest=digest(3), impact="medium"),
    ]  # fmt: skip
    return {"page": registry.ModelsPage(rows)}


def version() -> dict[str, Any]:
    phases = ["drafted", "specified", "trained", "verified", "validated", "in_force"]
    steps = [
        registry.PhaseStep(phase, ago(days=6 - n) if n < 4 else None, "Anna Meier" if 0 < n < 4 else "", href="/r", is_current=n == 3)
        for n, phase in enumerate(phases)
    ]  # fmt: skip
    score = registry.ScoreRow
    page = registry.VersionPage(
        name="nistcho v1",
        template="cho_fed_batch",
        phase="verified",
        impact="low",
        intended_use="Advises a harvest time for CHO fed-batch cultures at 0.25 L, between 96 h "
        "and the end.",
        steps=steps,
        scores=[
            score("Viable cell density, next sample", "% of range", "7.8", "12.0", "9.7", "≤ 8", True),
            score("Viability, next sample", "points", "5.1", "4.8", "5.6", "≤ 4.8", False),
            score("Coverage of the 90 % band", "%", "91", criterion="85 to 95", is_met=True),
        ],
        digests=[("Artefact", digest(1), "/a"), ("Training data", digest(2), ""), ("Kernel", digest(3), "")],
        input_space=[("Glucose", "2 to 45", "mM"), ("Temperature", "33 to 37", "degC")],
        assumptions=["The culture is well mixed.", "No contamination."],
        parameters=[("maximum growth rate", "0.0291", "1/h", "calibrated"), ("yield on glucose", "1.1e8", "cells/mmol", "literature")],
        signatures=signatures()[:1],
        dialogs=[dialog("advance", SigningForm(), "Validate", submit_label="Sign validation"), dialog("suspend", SigningForm(), "Suspend", is_danger=True)],
        next_act="Validate and sign",
        trail_href="/t",
    )  # fmt: skip
    return {"page": page, "crumbs": [("Models", "/m"), ("nistcho v1", "")]}


def evidence() -> dict[str, Any]:
    row = validation.ProtocolRow
    page = validation.EvidencePage(
        [
            row("IQ-PLATFORM", "The platform is installed as specified", 14, "passed", ago(hours=1), "/e", "Vera Novak"),
            row("OQ-AUD", "The ledger operates as specified", 9, "not_run"),
        ],
        [validation.RunRow("/e", "IQ-PLATFORM", "passed", ago(hours=1), "Vera Novak", 14, 14, digest(4))],
        requirements=62, covered=41, matrix_href="/x",
    )  # fmt: skip
    return {"page": page}


def run() -> dict[str, Any]:
    step = validation.StepResult
    page = validation.RunPage(
        "OQ-AUD", "The ledger operates as specified", "failed", ago(minutes=9), ago(minutes=7), "Vera Novak",
        [("Version", "0.1.0"), ("Python", "3.11.9"), ("PostgreSQL", "18.6")],
        [
            step("OQ-AUD-010", "A record is appended and sealed", "passed", ["URS-AUD-001"], "high", ["Append one record.", "Wait for the seal."], [("record intact", "True", "True", True)], [("payload.json", digest(2), "/a")]),
            step("OQ-AUD-030", "One altered character is found", "failed", ["URS-AUD-004", "URS-AUD-007"], "high", ["Alter one digit in a copy."], [("copy intact", "False", "True", False)]),
        ],
        digest(5), "/r", "/d", signatures()[:1],
    )  # fmt: skip
    return {"page": page, "crumbs": [("Evidence", "/e"), ("OQ-AUD", "")]}


def people() -> dict[str, Any]:
    row = partial(audit.PersonRow, since=ago(days=1), record_href="/r")
    rows = [
        row(
            printed_name="Anna Meier",
            username="anna",
            roles=["QA reviewer", "auditor"],
            state="active",
        ),
        row(printed_name="Ben Okafor", username="ben", roles=["process engineer"], state="locked"),
        row(printed_name="Vera Novak", username="vera", roles=[], state="inactive"),
    ]
    return {"page": audit.PeoplePage(AsOfForm(), rows, NOW, is_now=False, trail_href="/t")}


def sign_in(wrong: bool = False) -> dict[str, Any]:
    form = SignInForm({"username": "anna", "password": "x"}) if wrong else SignInForm()
    if wrong:
        form.add_error(None, "User name, password or code is wrong, or the account is locked.")
    return {"form": form}


class Message:
    tags = "success"

    def __str__(self) -> str:
        return "Laboratory value entered; its record is 18191."


PAGES: dict[str, tuple[str, str, Any]] = {
    "desk": ("web/desk.html", "Desk", desk),
    "desk-empty": ("web/desk.html", "Desk", partial(desk, empty=True)),
    "batches": ("web/batches.html", "Batches", batches),
    "batch": ("web/batch.html", "Batches", batch),
    "batch-lab": ("web/batch.html", "Batches", partial(batch, lab_open=True)),
    "recommendation": ("web/recommendation.html", "Batches", recommendation),
    "recommendation-sign": (
        "web/recommendation.html",
        "Batches",
        partial(recommendation, opened="sign", wrong=True),
    ),
    "recommendation-reject": (
        "web/recommendation.html",
        "Batches",
        partial(recommendation, opened="reject"),
    ),
    "recommendation-confirmed": (
        "web/recommendation.html",
        "Batches",
        partial(recommendation, state="confirmed"),
    ),
    "decision": ("web/decision.html", "Batches", partial(recommendation, state="confirmed")),
    "models": ("models_registry/models.html", "Models", models),
    "version": ("models_registry/version.html", "Models", version),
    "trail": ("audit/trail.html", "Trail", trail),
    "trail-filtered": ("audit/trail.html", "Trail", partial(trail, rows=3, filtered=True)),
    "trail-none": ("audit/trail.html", "Trail", partial(trail, rows=0, filtered=True)),
    "record": ("audit/record.html", "Trail", record),
    "people": ("audit/people.html", "Trail", people),
    "evidence": ("validation/evidence.html", "Evidence", evidence),
    "run": ("validation/run.html", "Evidence", run),
    "health": ("web/health.html", "Health", health),
    "sign-in": ("audit/sign_in.html", "", partial(sign_in, wrong=True)),
    "signed-out": ("web/signed_out.html", "", lambda: {"cause": "timed_out"}),
    "error-403": ("403.html", "Desk", lambda: {"reason": "Exporting needs the role auditor."}),
    "error-404": ("404.html", "Desk", dict),
    "error-500": ("500.html", "", dict),
    "error-503": ("503.html", "", dict),
}


def render(name: str) -> str:
    """Return the page's HTML; a page without section has no one signed in."""
    template, section, context = PAGES[name]
    frame = (
        shell(section)
        if section
        else Shell("Demonstration site", "Europe/Zurich", NOW, "0.1.0", digest(7))
    )
    values = {"csrf_token": "token", **context(), "shell": None if name == "error-500" else frame}
    if name == "health":
        values["messages"] = [Message()]
    return ENGINE.get_template(template).render(values)


class Handler(SimpleHTTPRequestHandler):
    """Static files and the gallery, under the policy of the product."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def translate_path(self, path: str) -> str:
        return str(STATIC / path.removeprefix("/static/").split("?")[0])

    def do_GET(self) -> None:
        name = self.path.strip("/").split("?")[0]
        if self.path.startswith("/static/"):
            super().do_GET()
            return
        found = name in PAGES
        body = (render(name) if found else " ".join(PAGES)).encode()
        self.send_response(200 if found or not name else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the tests read what the browser says."""


def serve(port: int = 0) -> ThreadingHTTPServer:
    """Serve the gallery from a thread; the caller shuts it down."""
    server = ThreadingHTTPServer(("localhost", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    import sys

    gallery = serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8790)
    print(f"http://localhost:{gallery.server_port}/", " ".join(PAGES))
    threading.Event().wait()
