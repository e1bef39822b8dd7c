"""Sample pages of one recommendation and its decision."""

from datetime import timedelta
from typing import Any

from audit.pages import SigningDialog
from tests.web.samples import FEED, NOW, RejectForm, SigningForm, ago, dialog, digest, signatures
from tests.web.samples_desk import chart
from twin_core.web import pages as web


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
        {**forecast, "key": "untouched", "label": "Doing nothing, 90 % band", "colour": 2}
        | {"points": untouched},
    ]
    base["limits"] = [{"label": "Target 4.2 g/L", "value": 4.2, "tone": "ok"}]
    return base


def dialogs(opened: str, wrong: bool) -> list[SigningDialog]:
    form = SigningForm({"meaning": "approval", "reason": ""}) if wrong else SigningForm()
    if wrong:
        form.add_error(None, "The code was used before. Wait for the next; nothing was signed.")
    return [
        dialog(
            "sign",
            form,
            "Approve and sign",
            submit_label="Sign approval",
            is_open=opened == "sign",
            code_ready_at=NOW + timedelta(seconds=22),
        ),
        dialog(
            "reject",
            RejectForm(),
            "Reject",
            submit_label="Sign rejection",
            is_danger=True,
            is_open=opened == "reject",
        ),
        dialog(
            "return",
            SigningForm(),
            "Return with a question",
            submit_label="Return",
            needs_signature=False,
        ),
    ]


def effects() -> list[web.Effect]:
    return [
        web.Effect("Titer", "g/L", 4.9, 4.5, 5.3, 4.3, 3.9, 4.7, "≥ 4.2 g/L", True),
        web.Effect("Viability", "%", 84, 79, 88, 83, 77, 88, "≥ 80 %", True),
        web.Effect("Lactate", "mM", 3.1, 2.2, 4.4, 2.6, 1.8, 3.7, "≤ 4 mM", False),
    ]


def verdicts() -> list[web.Verdict]:
    return [
        web.Verdict("glucose lies inside the calibrated range", "holds", "12.4 mM", "2 to 45 mM"),
        web.Verdict("the last count fits the estimate", "broken", "3.1 σ", "≤ 3 σ"),
        web.Verdict("the oxygen supply is not limiting", "not_checked"),
    ]


def inputs() -> list[web.InputLink]:
    link = web.InputLink
    return [
        link("Forecast at 168.0 h", "made from the estimate of 168.0 h", digest(1), "/r"),
        link("Data segment 160 to 168 h", "214 samples, 2 in quarantine", digest(2), "/r"),
        link("Laboratory, glucose 12.43 mM", "sampled at 162.0 h", digest(4), "/r"),
    ]


def steps(is_decided: bool) -> list[web.StepRow]:
    step = web.StepRow
    known = [step("proposed", "Proposed", ago(minutes=3), "worker", href="/r")]
    if not is_decided:
        return known
    return [
        *known,
        step("approved", "Approved", ago(minutes=2), "Anna Meier", "As in the last two days."),
        step("written", "Written to BR-201", ago(minutes=2), "write gate"),
        step("confirmed", "Read back 0.42 L/d and confirmed", ago(minutes=1), "write gate"),
    ]


def recommendation(
    state: str = "proposed", opened: str = "", wrong: bool = False
) -> dict[str, Any]:
    is_decided = state != "proposed"
    page = web.RecommendationPage(
        id="019ab3c4-7f0e-7b1c-9c55-0a3d2b1f4e66",
        title=FEED,
        state=state,
        risk="high",
        batch="B-0201",
        batch_href="/b",
        why=[
            "Glucose is forecast to fall below 10 mM at 214 h, before the next planned feed.",
            "With the higher feed it stays above 11 mM, while lactate stays below 4 mM.",
        ],
        moves=[web.Move("Feed rate", "L/d", "0.35", "0.42", None, "0.20 to 0.60 L/d")],
        effects=effects(),
        confidence="The advice is better in 93 of 100 members of the stored posterior sample.",
        issued_h=168.0,
        issued_at=ago(minutes=3),
        expires_h=180.0,
        expires_at=NOW + timedelta(minutes=6),
        chart=effect_chart(),
        verdicts=verdicts(),
        inputs=inputs(),
        **references(is_decided),
        dialogs=[] if is_decided else dialogs(opened, wrong),
        signatures=signatures()[:1] if is_decided else [],
        steps=steps(is_decided),
    )
    crumbs = [("Batches", "/b"), ("B-0201", "/b"), ("Recommendation", "")]
    return {"page": page, "crumbs": crumbs}


def references(is_decided: bool) -> dict[str, Any]:
    return {
        "model": "cho-201 v3",
        "model_href": "/m",
        "model_digest": digest(6),
        "view_digest": digest(3),
        "label": "simulated plant",
        "needs": "One QA reviewer signs. Then the write gate checks it again by itself.",
        "alternatives": [("Feed 0.50 L/d", "lactate would pass 4 mM in 38 of 100 members")],
        "capsule_digest": digest(8) if is_decided else "",
        "capsule_href": "/c",
        "decision_href": "/d",
        "record_href": "/r",
        "notice": "Ben Okafor opened this item 40 s ago; if he decides first, you are told here.",
    }
