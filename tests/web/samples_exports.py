"""Sample page of a person's exports."""

from typing import Any

from audit.exports.cut import FORMATS
from audit.exports.job_pages import CancelForm, ExportRow, ExportsPage
from audit.pages import SigningDialog
from tests.web.samples import ago, digest


def exports(*, empty: bool = False) -> dict[str, Any]:
    rows = [] if empty else [running(), *finished()]
    return {"page": ExportsPage(rows, trail_href="/trail/", refresh_href="")}


def running() -> ExportRow:
    return ExportRow(
        id="1",
        state="making",
        asked_at=ago(seconds=95),
        reason="Inspection of 24 November",
        scope="complete",
        filters=[],
        formats=list(FORMATS.values()),
        tree_size=1_204_331,
        step="Parquet tables",
        done=2_100_000,
        total=6_021_655,
        rate=88_400,
        left=44,
        cancel=SigningDialog(
            id="cancel-1",
            title="Cancel the export",
            action_href="/exports/1/cancel/",
            statement="The export stops and what was written of it is deleted. This is recorded.",
            view_digest="",
            printed_name="Anna Meier",
            form=CancelForm(),
            submit_label="Cancel the export",
            is_danger=True,
            needs_signature=False,
        ),
    )


def finished() -> list[ExportRow]:
    batch = {
        "scope": "selection",
        "filters": [("Batch or stream", "batch/B-0201")],
        "formats": [FORMATS["html"], FORMATS["pdf"]],
        "tree_size": 1_190_002,
    }
    return [
        ExportRow(
            id="2",
            state="done",
            asked_at=ago(seconds=4_000),
            reason="Review of batch B-0201 before release",
            size=4_812_334,
            digest=digest(3),
            download_href="/exports/2/download/",
            **batch,
        ),
        ExportRow(
            id="3",
            state="failed",
            asked_at=ago(seconds=90_000),
            reason="Review of batch B-0201 before release",
            error="the document key cannot be used: keys/document.key is missing: restore it",
            **batch,
        ),
        ExportRow(
            id="4", state="files deleted", asked_at=ago(seconds=3_000_000), reason="Audit", **batch
        ),
    ]
