"""The hand-over file of a run: one page and one JSON file that need none of our software."""

from pathlib import Path
from typing import Any

from django.template.loader import render_to_string

MEDIA_TYPES = {"report.json": "application/json", "report.html": "text/html"}
SHOWN_WITHIN = 50_000  # bytes; a larger attachment is named by digest and lies beside the page


def page(told: dict[str, Any], attachments: dict[str, bytes]) -> str:
    """Return the page of a run as self-contained HTML; ``attachments`` by digest."""
    texts = {digest: text for digest, data in attachments.items() if (text := _as_text(data))}
    steps = [
        {
            **step,
            "attachments": [
                {**each, "text": texts.get(each["digest"])} for each in step["attachments"]
            ],
        }
        for step in told["steps"]
    ]
    return render_to_string("validation/handover.html", {"run": {**told, "steps": steps}})


def write(folder: Path, files: dict[str, bytes], attachments: dict[str, bytes]) -> None:
    """Write the files into a new folder; raises FileExistsError rather than mix two runs."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    if attachments:
        (folder / "attachments").mkdir()
    for digest, content in attachments.items():
        (folder / "attachments" / digest).write_bytes(content)


def _as_text(data: bytes) -> str | None:
    if len(data) > SHOWN_WITHIN:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
