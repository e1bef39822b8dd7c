"""Read protocol runs back from the record store: no table of its own can differ from it."""

import json
from collections import Counter
from typing import Any

from audit import api as audit
from audit.api import Record

Told = dict[str, Any]
END = ("outcome", "finished_at", "files")  # what only the end of a run can tell


def all_runs() -> list[Told]:
    """Return every run, newest first, each as its start told it with what is known since."""
    ends = {told["run"]: told for told in _data("validation.run.completed")}
    broken_off: Told = {"outcome": "broken_off", "finished_at": None, "files": {}, "record": None}
    return [
        {
            **started,
            "declared": started["steps"],
            **{key: ends.get(started["run"], broken_off)[key] for key in END},
            "completed": ends.get(started["run"], broken_off)["record"],
        }
        for started in _data("validation.run.started")
    ]


def run(identity: str) -> Told | None:
    """Return one run with its steps in full; None when there is none of this identity."""
    found = next((told for told in all_runs() if told["run"] == identity), None)
    if found is None:
        return None
    stream = f"protocol/{found['protocol']}"
    records = Record.objects.filter(
        stream=stream, kind__startswith="validation.step.", id__gte=found["record"]
    ).order_by("id")
    return {**found, "steps": [told for r in records if (told := _step(r))["run"] == identity]}


def passed_steps() -> dict[str, int]:
    """Return how many steps passed, by the run's identity."""
    return Counter(told["run"] for told in _data("validation.step.passed"))


def last_steps() -> dict[str, Told]:
    """Return the last result of each step that was ever run, by the step's identifier."""
    records = Record.objects.filter(kind__startswith="validation.step.").order_by("id")
    return {(data := _told(record))["step"]: data for record in records}


def handover_file(told: Told, name: str) -> bytes:
    """Return a file of a completed run's hand-over; raises KeyError when it has none such."""
    return audit.get_blob(told["files"][name])


def _data(kind: str) -> list[Told]:
    return [_told(record) for record in Record.objects.filter(kind=kind).order_by("-id")]


def _told(record: Record) -> Told:
    data: Told = audit.content(record)["data"]
    return {**data, "record": str(record.id), "leaf": bytes(record.leaf).hex()}


def _step(record: Record) -> Told:
    told = _told(record)
    return {**json.loads(audit.get_blob(told["detail"])), **told}
