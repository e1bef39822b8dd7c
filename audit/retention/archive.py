"""Archive a month: verify, write its bundle, verify that, record it, and close the month."""

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from audit import bundles, ledger, verifier
from audit.models import ArchivedMonth
from audit.retention import bundle, months, policies, policy
from audit.retention.refusing import RetentionRefused

KIND = "audit.partition.archived"
Progress = Callable[[str, int, int], None]  # what, done, of how many


class BundleWrong(Exception):
    """A bundle in the folder is not one of this month, or does not verify."""


def archive(
    month: str, folder: Path, *, actor: Any, progress: Progress = lambda what, done, total: None
) -> ArchivedMonth:
    """Archive a month below ``folder``; safe to call again after it was interrupted.

    A bundle that an earlier run finished is verified and taken. Raises RetentionRefused,
    BundleWrong; OSError where the folder cannot be written.
    """
    span = months.span_of(month)
    if reasons := months.reasons_against_archiving(month, span, months.now()):
        raise RetentionRefused(month, "archive", reasons)
    until, head = retention_of(month), months.newest_head()
    assert head is not None
    work = bundle.MonthBundle(month, span, head)
    place = folder / month
    _clear_unfinished(folder, month)
    if not place.exists():
        _write(place, work, progress)
    progress("verifying the bundle", 0, 1)
    told = checked(place, month)
    progress("verifying the bundle", 1, 1)
    if told["records"] != span.count:
        raise BundleWrong(f"{place} holds {told['records']} records, {month} has {span.count}")
    return _record(month, place, told, until, actor)


def _write(place: Path, work: bundle.MonthBundle, progress: Progress) -> None:
    progress("verifying the month", 0, 1)
    if flaw := work.first_flaw():
        raise RetentionRefused(work.month, "archive", [f"{flaw.place}: {flaw.what}"])
    progress("verifying the month", 1, 1)
    try:
        bundle.write(place, work, lambda done, total: progress("writing", done, total))
    except bundles.BundleRefused as error:
        raise BundleWrong(str(error)) from error


def _clear_unfinished(folder: Path, month: str) -> None:
    for left in folder.glob(f".{month}.*.part") if folder.exists() else ():
        shutil.rmtree(left, ignore_errors=True)  # of a run that was killed


def checked(place: Path, month: str) -> dict[str, Any]:
    """Verify a month's bundle now; return what it holds. Raises BundleWrong."""
    if not (place / bundles.MANIFEST).is_file():
        raise BundleWrong(f"{place} holds no bundle")
    result = verifier.verify(place, settings.LEDGER_PUBLIC_KEY_FILE)
    if not result.ok:
        raise BundleWrong(f"{place}: {result.text}")
    manifest = json.loads((place / bundles.MANIFEST).read_text(encoding="utf-8"))
    if manifest["filters"] != {"month": month}:
        raise BundleWrong(f"{place} is not the bundle of {month}")
    sequences = _sequences(place)
    return {
        "records": result.facts["records"],
        "tree_size": manifest["tree_size"],
        "first_sequence": sequences[0],
        "last_sequence": sequences[1],
        "manifest": (place / bundles.MANIFEST_DIGEST).read_text().split()[0],
        "size": sum(path.stat().st_size for path in place.rglob("*") if path.is_file()),
    }


def _sequences(place: Path) -> tuple[int, int]:
    """Return the first and last sequence of the records in a bundle."""
    with (place / "proofs.jsonl").open("rb") as file:
        first = last = file.readline()
        for line in file:
            last = line
    return json.loads(first)["sequence"], json.loads(last)["sequence"]


def _record(
    month: str, place: Path, told: dict[str, Any], until: datetime, actor: Any
) -> ArchivedMonth:
    """Record the archive and close the month, both or neither."""
    row = ArchivedMonth(month=month, state=ArchivedMonth.State.ARCHIVED, place=str(place.resolve()))
    for name in ("records", "first_sequence", "last_sequence", "manifest", "size"):
        setattr(row, name, told[name])
    row.retain_until = until
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL transaction_timeout = 0")
            cursor.execute("SELECT ledger_close_month(%s, %s)", [month, row.records])
        record = ledger.append(
            stream="ledger",
            kind=KIND,
            actor=actor,
            subject=row,
            new=row.state_fields(),
            data={"month": month, "tree_size": told["tree_size"]},
        )
        row.save(record=record)
    return row


def retention_of(month: str) -> datetime:
    """Return when the month's retention is over; raises RetentionRefused without a policy."""
    start = months.month_start(month)
    found = policies.since(start)
    if not found:
        raise RetentionRefused(
            month, "archive", ["no retention policy is in force: sign one first"]
        )
    return policy.retain_until(found, month, months.told_in(month))
