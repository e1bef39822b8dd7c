"""Sample pages of the record store."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from audit import pages as audit
from audit.outside.standing import Standing
from audit.retention import pages, policy
from audit.retention.forms import HoldForm
from tests.web.samples import (
    ANNA,
    FEED,
    NOW,
    WORKER,
    AsOfForm,
    ReasonForm,
    SignInForm,
    SigningForm,
    TrailForm,
    ago,
    dialog,
    digest,
    signatures,
)

OUTSIDE = Standing(
    signed=18_204,
    published=18_204,
    met=2,
    quorum=2,
    witnesses=3,
    token_size=17_950,
    token_at=NOW,
    has_authority=True,
    troubles=(),
)
OUTSIDE_LATE = replace(
    OUTSIDE, published=18_011, troubles=("Witnesses: 1 of 2 witnesses have cosigned",)
)
POLICY = Path(policy.__file__).with_name("policy.yaml")


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
    export = dialog("export", ReasonForm(), "Export what is filtered", needs_signature=False)
    page = audit.TrailPage(
        TrailForm(),
        made,
        pages,
        chips if filtered else (),
        clear_href="/t",
        export=export,
        outside=OUTSIDE_LATE if filtered else OUTSIDE,
    )
    return {"page": page}


RAW = (
    '{"actor":{"id":"0192","kind":"person","name":"Anna Meier"},"blobs":[],"changes":[{"new":'
    '{"state":"approved"},"old":{"state":"proposed"},"subject":{"id":"019a","type":'
    '"twin_core.Recommendation"}}],"data":null,"kind":"twin_core.recommendation.approved","v":1}'
)


def proof() -> audit.Proof:
    return audit.Proof(
        "proved",
        "The proof leads from this record to the root that the last checkpoint signs; it was "
        "checked when this page was made.",
        block=4102,
        tree_size=18_204,
        root=digest(9),
        hashes=[digest(n) for n in range(20, 34)],
        checkpoint_at=ago(seconds=2),
    )


def relatives() -> dict[str, Any]:
    relative = audit.Relative
    return {
        "parents": [
            relative(digest(11), "Forecast made to 336 h", ago(minutes=14), "/record/2"),
            relative(digest(12), "A record of another ledger"),
        ],
        "children": [relative(digest(13), "Set point written and confirmed", ago(minutes=3), "/r")],
    }


def record() -> dict[str, Any]:
    changes = [
        audit.Change("state", "proposed", "approved"),
        audit.Change("approved_at", "", "2026-11-24T20:38:05.000000Z"),
        audit.Change("setpoint", "0.42 L/d", "0.42 L/d", is_same=True),
    ]
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
        raw=RAW,
        proof=proof(),
        reason="Lactate falls, glucose stays above 10 mM",
        source={"address": "10.0.4.17", "process": "web", "session": "5f3a", "software": "0.1.0"},
        changes=[audit.SubjectChanges("Recommendation", "019ab3c4-7f0e", changes, href="/r")],
        data=[("setpoint value", "0.42 L/d"), ("margin to the limit", "0.18 L/d")],
        **relatives(),
        blobs=[(digest(14), "/blob")],
        signatures=signatures(),
        download_href="/d",
    )
    return {"page": page, "crumbs": [("Trail", "/t"), ("batch/B-0201", "/t"), ("18190", "")]}


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


def archive(empty: bool = False, opened: bool = False) -> dict[str, Any]:
    month = partial(pages.MonthRow, href="/r")
    rows = [
        month("2026-11", "open", "more than 100000", href=""),
        month("2026-10", "over", 84_112, href=""),
        month("2026-09", "archived", 91_020, digest(1), 48_211_904, ago(days=-900), is_held=True),
        month(
            "2011-02",
            "archived",
            70_001,
            digest(2),
            38_002_000,
            ago(days=40),
            approvals=1,
            dialog_id="approve-2011-02",
        ),
        month("2011-01", "dropped", 68_500, digest(3), 37_400_000, ago(days=60), dropped=68_311),
    ]
    held = [
        pages.HoldRow(
            "One month", "2026-09", "Complaint 2026-114", ago(days=3), "/r", True, "release-1"
        ),
        pages.HoldRow("One stream", "batch/B-0201", "Recall rehearsal", ago(days=90), "/r", False),
    ]
    sign = dialog("hold", SigningForm(), "Set a legal hold", is_open=opened)
    return {
        "page": pages.ArchivePage(
            () if empty else rows,
            () if empty else held,
            None if empty else policy.parse(POLICY.read_bytes()),
            HoldForm(),
            [sign] if opened else [],
        ),
        "crumbs": [("Trail", "/t"), ("Archive and holds", "")],
    }
