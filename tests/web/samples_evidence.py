"""Sample pages of the registry and of validation."""

from functools import partial
from typing import Any

from models_registry import pages as registry
from tests.web.samples import SigningForm, ago, dialog, digest, signatures
from validation import pages as validation


def models() -> dict[str, Any]:
    row = partial(registry.VersionRow, href="/m", template="cho_fed_batch", since=ago(days=3))
    rows = [
        row(
            name="cho-201 v3",
            phase="in_force",
            digest=digest(1),
            impact="medium",
            score="VCD RMSE 6.9 % of range",
            label="simulated",
            used_by="BR-201",
        ),
        row(
            name="nistcho v1",
            phase="validated",
            digest=digest(2),
            impact="low",
            score="VCD RMSE 7.8 % of range",
        ),
        row(name="cho-201 v2", phase="retired", digest=digest(3), impact="medium"),
    ]
    return {"page": registry.ModelsPage(rows)}


def scores() -> list[registry.ScoreRow]:
    score = registry.ScoreRow
    cells, band = "Viable cell density, next sample", "Coverage of the 90 % band"
    return [
        score(cells, "% of range", "7.8", "12.0", "9.7", "≤ 8", True),
        score("Viability, next sample", "points", "5.1", "4.8", "5.6", "≤ 4.8", False),
        score(band, "%", "91", criterion="85 to 95", is_met=True),
    ]


def phases() -> list[registry.PhaseStep]:
    names = ["drafted", "specified", "trained", "verified", "validated", "in_force"]
    reached = [
        registry.PhaseStep(name, ago(days=6 - n), "Anna Meier" if n else "", href="/r")
        for n, name in enumerate(names[:3])
    ]
    now = registry.PhaseStep("verified", ago(days=3), "Vera Novak", href="/r", is_current=True)
    return [*reached, now, *(registry.PhaseStep(name) for name in names[4:])]


def version() -> dict[str, Any]:
    page = registry.VersionPage(
        name="nistcho v1",
        template="cho_fed_batch",
        phase="verified",
        impact="low",
        intended_use="Advises a harvest time for CHO fed-batch cultures at 0.25 L, between 96 h "
        "and the end.",
        steps=phases(),
        scores=scores(),
        digests=[
            ("Artefact", digest(1), "/a"),
            ("Training data", digest(2), ""),
            ("Kernel", digest(3), ""),
        ],
        input_space=[("Glucose", "2 to 45", "mM"), ("Temperature", "33 to 37", "degC")],
        assumptions=["The culture is well mixed.", "No contamination."],
        parameters=[
            ("maximum growth rate", "0.0291", "1/h", "calibrated"),
            ("yield on glucose", "1.1e8", "cells/mmol", "literature"),
        ],
        signatures=signatures()[:1],
        dialogs=[
            dialog("advance", SigningForm(), "Validate", submit_label="Sign validation"),
            dialog("suspend", SigningForm(), "Suspend", is_danger=True),
        ],
        next_act="Validate and sign",
        trail_href="/t",
    )
    return {"page": page, "crumbs": [("Models", "/m"), ("nistcho v1", "")]}


def evidence() -> dict[str, Any]:
    row = validation.ProtocolRow
    page = validation.EvidencePage(
        [
            row(
                "IQ-PLATFORM",
                "The platform is installed as specified",
                14,
                "passed",
                ago(hours=1),
                "/e",
                "Vera Novak",
            ),
            row("OQ-AUD", "The ledger operates as specified", 9, "not_run"),
        ],
        [
            validation.RunRow(
                "/e", "IQ-PLATFORM", "passed", ago(hours=1), "Vera Novak", 14, 14, digest(4)
            )
        ],
        requirements=62,
        covered=41,
        matrix_href="/x",
    )
    return {"page": page}


def run() -> dict[str, Any]:
    step = validation.StepResult
    page = validation.RunPage(
        "OQ-AUD",
        "The ledger operates as specified",
        "failed",
        ago(minutes=9),
        ago(minutes=7),
        "Vera Novak",
        [("Version", "0.1.0"), ("Python", "3.11.9"), ("PostgreSQL", "18.6")],
        [
            step(
                "OQ-AUD-010",
                "A record is appended and sealed",
                "passed",
                ["URS-AUD-001"],
                "high",
                ["Append one record.", "Wait for the seal."],
                [("record intact", "True", "True", True)],
                [("payload.json", digest(2), "/a")],
            ),
            step(
                "OQ-AUD-030",
                "One altered character is found",
                "failed",
                ["URS-AUD-004", "URS-AUD-007"],
                "high",
                ["Alter one digit in a copy."],
                [("copy intact", "False", "True", False)],
            ),
        ],
        digest(5),
        "/r",
        "/d",
        signatures()[:1],
    )
    return {"page": page, "crumbs": [("Evidence", "/e"), ("OQ-AUD", "")]}
