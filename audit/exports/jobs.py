"""Exports in the background: asked for by a person, made in slices, kept for a time.

A slice works for some seconds and leaves the rest to the next one; a process that is killed costs
what it did since the last line of the journal. The cut is fixed when the export is asked for.
"""

import shutil
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from audit import ledger
from audit.exports import packing
from audit.exports.building import Build, Progress, chosen_below
from audit.exports.cut import MOST_READABLE, Cut, cut_now
from audit.exports.filters import ExportRefused, Filters
from audit.exports.making import Busy, alone, complete
from audit.models import ExportJob, Role, User
from audit.refusals import NotEntitled

State = ExportJob.State
OPEN = (State.REQUESTED, State.RUNNING)
FILE = "export.zip"
SLICE = 20.0  # seconds of work before others have their turn
NOTED = 0.5  # seconds between two notes of progress


@transaction.atomic
def ask(*, filters: Filters, formats: tuple[str, ...], actor: Any, reason: str) -> ExportJob:
    """Ask for an export; it is recorded, and made by the next worker that is free.

    Raises ExportRefused for one that could not be made.
    """
    cut = cut_now(filters, formats=formats, actor=actor, reason=reason)
    if "pdf" in formats and _count(cut) > MOST_READABLE:
        raise ExportRefused(
            f"a PDF report of more than {MOST_READABLE} records is not made: narrow the filters, "
            "or leave the report out"
        )
    job = ExportJob(person=actor if isinstance(actor, User) else None, cut=cut.encode().decode())
    told = {"filters": cut.filters, "formats": list(cut.formats), "tree_size": cut.tree_size}
    _record("requested", job, told, actor=actor, reason=reason)
    job.save(force_insert=True)
    return job


def _count(cut: Cut) -> int:
    """Return how many records an export has, counted no further than matters."""
    if cut.scope == "complete":
        return cut.tree_size
    return chosen_below(cut)[: MOST_READABLE + 1].count()


def _record(
    what: str, job: ExportJob, told: dict[str, Any], *, actor: Any = None, reason: str = ""
) -> None:
    data = {"export": str(job.pk), **told}
    kind = f"audit.export.{what}"
    ledger.append(stream="ledger", kind=kind, actor=actor, reason=reason or None, data=data)


def due() -> list[tuple[UUID, int]]:
    """Return (id, slices so far) of the exports that have work left, oldest first."""
    rows = ExportJob.objects.filter(state__in=OPEN).order_by("id")
    return list(rows.values_list("pk", "slices"))


def of(person: User) -> QuerySet[ExportJob]:
    """Return a person's own exports, newest first."""
    return ExportJob.objects.filter(person=person).order_by("-id")


def folder_of(job: ExportJob) -> Path:
    """Return where an export is made and kept."""
    return settings.EXPORT_DIR / str(job.pk)


def cut_of(job: ExportJob) -> Cut:
    return Cut.decode(job.cut.encode())


def work_on(identity: UUID, *, seconds: float = SLICE) -> bool:
    """Work on an export for about so long; return whether there is work left.

    What cannot be made fails with a record. Any other fault is raised: the work is not lost.
    """
    job = _begin(identity)
    if job is None:
        return False
    try:
        with alone(folder_of(job)):
            _advance(job, time.monotonic() + seconds)
    except Busy:
        return True
    except ExportRefused as refusal:
        _fail(job, refusal)
    if not ExportJob.objects.filter(pk=job.pk, state=State.RUNNING).exists():
        _tidy(job)
        return False
    return True


def _begin(identity: UUID) -> ExportJob | None:
    open_jobs = ExportJob.objects.filter(pk=identity, state__in=OPEN)
    if not open_jobs.update(state=State.RUNNING, slices=F("slices") + 1, seen_at=timezone.now()):
        return None
    return ExportJob.objects.get(pk=identity)


def _advance(job: ExportJob, deadline: float) -> None:
    build = Build(folder_of(job), cut_of(job))
    noted = begun = time.monotonic()
    with closing(build.steps()) as steps:
        for progress in steps:
            now = time.monotonic()
            if now - noted >= NOTED or now >= deadline:
                if not _note(job, progress, worked=now - begun):
                    return  # cancelled meanwhile
                noted = begun = now
            if now >= deadline:
                return
    if ExportJob.objects.filter(pk=job.pk, state=State.RUNNING).exists():
        _finish(job, build, worked=time.monotonic() - begun)


def _note(job: ExportJob, progress: Progress, *, worked: float) -> bool:
    """Keep how far the export is; False when it is wanted no more."""
    return bool(
        ExportJob.objects.filter(pk=job.pk, state=State.RUNNING).update(
            step=progress.step,
            done=progress.done,
            total=progress.total,
            seconds=F("seconds") + worked,
            seen_at=timezone.now(),
        )
    )


def _finish(job: ExportJob, build: Build, *, worked: float) -> None:
    """Record the export, pack its one file, and only then say that it is done."""
    manifest = complete(build, export=str(job.pk))
    target = folder_of(job) / FILE
    digest = packing.pack(build.bundle, target, top=name_of(job))
    ExportJob.objects.filter(pk=job.pk, state=State.RUNNING).update(
        state=State.DONE,
        step="",
        done=F("total"),
        seconds=F("seconds") + worked,
        ended_at=timezone.now(),
        manifest=manifest,
        file_digest=digest,
        file_size=target.stat().st_size,
    )


def name_of(job: ExportJob) -> str:
    """Return the name of an export's folder and file: the cut and the export's own key."""
    return f"ledger-{cut_of(job).tree_size}-{str(job.pk)[-8:]}"


@transaction.atomic
def _fail(job: ExportJob, refusal: ExportRefused) -> None:
    rows = ExportJob.objects.filter(pk=job.pk, state=State.RUNNING)
    if rows.update(state=State.FAILED, error=str(refusal), ended_at=timezone.now()):
        _record("failed", job, {}, reason=str(refusal))


def _tidy(job: ExportJob) -> None:
    """Leave of a finished export its one file, of any other nothing."""
    folder = folder_of(job)
    is_kept = ExportJob.objects.filter(pk=job.pk, state=State.DONE).exists()
    if not is_kept:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != FILE:
            path.unlink()


@transaction.atomic
def cancel(identity: UUID, *, actor: Any, reason: str) -> ExportJob:
    """Stop an export that is not done; its files go. Raises ExportRefused, NotEntitled."""
    job = ExportJob.objects.select_for_update().get(pk=identity)
    require_own(job, actor, to="cancel this export")
    if job.state not in OPEN:
        raise ExportRefused(f"the export is {job.get_state_display().lower()}: nothing to cancel")
    if not reason.strip():
        raise ExportRefused("a reason is needed to cancel an export")
    _record("cancelled", job, {}, actor=actor, reason=reason.strip())
    job.state, job.ended_at = State.CANCELLED, timezone.now()
    job.save(update_fields=["state", "ended_at"])
    transaction.on_commit(lambda: _tidy_if_idle(job))
    return job


def _tidy_if_idle(job: ExportJob) -> None:
    """Remove a cancelled export's files, unless a worker is at them: then it does so itself."""
    try:
        with alone(folder_of(job)):
            _tidy(job)
    except Busy:
        pass


def require_own(job: ExportJob, person: Any, *, to: str) -> None:
    """Raise NotEntitled unless the export is the person's, or they administer the system."""
    is_own = job.person_id is not None and job.person_id == getattr(person, "pk", None)
    is_administrator = isinstance(person, User) and Role.SYSTEM_ADMINISTRATOR in person.roles()
    if not (is_own or (is_administrator and to.startswith("cancel"))):
        raise NotEntitled(
            f"may not {to}: another person asked for it",
            what_to_do="Ask for an export of your own.",
            act="audit.export",
            stream="ledger",
            data={"export": str(job.pk)},
        )


@transaction.atomic
def note_download(job: ExportJob, *, actor: Any, first_byte: int) -> None:
    """Record that the file leaves; a download that goes on is the same one."""
    if first_byte == 0:
        told = {"manifest": job.manifest, "file": job.file_digest, "bytes": job.file_size}
        _record("downloaded", job, told, actor=actor)


def delete_old() -> int:
    """Delete the files of exports that were kept their time, on the record; return how many."""
    before = timezone.now() - timedelta(days=settings.EXPORT_KEEP_DAYS)
    old = ExportJob.objects.filter(state=State.DONE, ended_at__lt=before)
    return sum(_delete(job) for job in old.order_by("id"))


def _delete(job: ExportJob) -> bool:
    with transaction.atomic():
        if not ExportJob.objects.filter(pk=job.pk, state=State.DONE).update(state=State.DELETED):
            return False
        reason = f"kept for {settings.EXPORT_KEEP_DAYS:g} days"
        told = {"file": job.file_digest, "manifest": job.manifest}
        _record("deleted", job, told, reason=reason)
    shutil.rmtree(folder_of(job), ignore_errors=True)
    return True
