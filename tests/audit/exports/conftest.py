"""A sealed ledger with people, signatures and awkward texts, and a document key of its own."""

from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

AWKWARD = (
    "größer als erwartet \N{GREEK SMALL LETTER MU} \U0001f9ea",
    "=HYPERLINK(1)",
    "a\tb\nc",
    "\N{RIGHT-TO-LEFT OVERRIDE}evil",
    "",
    "yes",
    "-12.50",
    "\N{FULLWIDTH EQUALS SIGN}1+1",
    "<script>alert(1)</script>",
    "x" * 500,
)


@pytest.fixture
def installed(settings: Any, tmp_path: Path) -> Any:
    """Settings with a document key, and folders, of this test."""
    from twin_core.supervisor.folder import DataFolder
    from twin_core.supervisor.secrets import make_document_key

    folder = DataFolder(tmp_path / "data")
    folder.keys.mkdir(parents=True)
    make_document_key(folder, "localhost/ledger/test")
    settings.DOCUMENT_KEY_FILE = folder.keys / "document.key"
    settings.DOCUMENT_CERTIFICATE_FILE = folder.keys / "document.pem"
    settings.EXPORT_DIR = tmp_path / "exports"
    return settings


@pytest.fixture
def filled(ledger: Any, tmp_path: Path, installed: Any) -> Any:
    """Three hundred records in blocks of uneven size, some with blobs, on two streams."""
    from audit import api
    from audit.checkpoint import vkey
    from tests.audit.sealing import ORIGIN

    installed.LEDGER_PUBLIC_KEY_FILE = tmp_path / "ledger.pub"
    installed.LEDGER_PUBLIC_KEY_FILE.write_text(vkey(ORIGIN, ledger.key) + "\n")
    for size in (1, 255, 2, 42):
        with transaction.atomic():
            digest = api.put_blob(f"content {size}".encode(), "text/plain")
            for place in range(size):
                api.append(
                    stream="batch/B-1" if place % 7 == 0 else "other",
                    kind="test.fact.noted",
                    reason=f"{size}/{place}",
                    blobs=[digest] if place == 0 else [],
                    **awkward(place),
                )
        ledger.seal()
    return ledger


def awkward(place: int) -> dict[str, Any]:
    """Content that copies have to show as it is."""
    from audit import api

    text = AWKWARD[place % len(AWKWARD)]
    return {
        "subject": {"type": "test.thing", "id": f"T-{place}"},
        "old": None if place % 3 else {"note": None, "value": api.number(place / 7, "mM")},
        "new": {"note": text, "value": api.number(-place / 3, "mM"), "is_good": place % 2 == 0},
        "data": {"list": [1, text, None], "nested": {"depth": place}} if place % 2 else None,
    }
