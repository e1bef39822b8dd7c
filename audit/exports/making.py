"""Make an export from its beginning to its end, and record it."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audit import bundles, ledger
from audit.actors import Actor
from audit.exports.building import Build
from audit.exports.cut import Cut, cut_now
from audit.exports.filters import ExportRefused, Filters
from audit.exports.journal import CUT

Show = Callable[[int, int], None]  # done, total


class Busy(ExportRefused):
    """Another process is at this very export."""


def export(
    folder: Path,
    *,
    filters: Filters | None = None,
    formats: tuple[str, ...] = (),
    actor: Any = None,
    reason: str | None = None,
    progress: Show = lambda done, total: None,
) -> str:
    """Write a bundle of all sealed records, or of a selection; return its manifest's SHA-256.

    ``formats`` names the copies for reading and searching that lie beside the hashed bytes. The
    export is itself a record, written before the folder appears. After a kill the same call goes
    on where it stood, at the same cut. Raises ExportRefused when nothing is sealed yet, the folder
    exists, or another export was begun there.
    """
    if folder.exists():
        raise ExportRefused(f"{folder} exists; name a folder that does not")
    work = folder.parent / f".{folder.name}.part"
    with alone(work):
        asked = cut_now(filters or Filters(), formats=formats, actor=actor, reason=reason)
        build = Build(work, begun(work, asked))
        for step in build.steps():
            progress(step.done, step.total)
        digest = complete(build)
        build.bundle.rename(folder)
        bundles.sync_folder(folder.parent)
        shutil.rmtree(work)
    return digest


def begun(work: Path, asked: Cut) -> Cut:
    """Return the cut of an export that was begun there; refuse to go on with another question."""
    if not (work / CUT).exists():
        return asked
    kept = Cut.decode((work / CUT).read_bytes())
    same = ("is_whole", "filters", "formats", "actor", "reason")
    if any(getattr(kept, name) != getattr(asked, name) for name in same):
        raise ExportRefused(f"{work} holds the beginning of another export; remove it first")
    return kept


def complete(build: Build, *, export: str | None = None) -> str:
    """Write the manifest and the record of the export, each once; return the manifest's SHA-256.

    ``export`` is the key of one that is made in the background.
    """
    digest = build.finish()
    if build.journal.facts.get("recorded") != digest:
        record_made(build, digest, export)
        build.journal.note(recorded=digest)
    return digest


def record_made(build: Build, digest: str, export: str | None) -> None:
    """Record that a copy of the ledger was made: what is in it, who asked for it, and why."""
    cut, journal = build.cut, build.journal
    ledger.append(
        stream="ledger",
        kind="audit.export.made",
        actor=Actor(**cut.actor),
        reason=cut.reason or None,
        data={
            "export": export,
            "manifest": digest,
            "filters": cut.filters,
            "scope": cut.filters.get("within", []),
            "formats": list(cut.formats),
            "tree_size": cut.tree_size,
            "root": cut.head.root,
            "records": "all" if cut.is_whole else build.records,
            "count": build.records,
            "first_sequence": journal.facts.get("first"),
            "last_sequence": journal.facts.get("last"),
        },
    )


@contextmanager
def alone(work: Path) -> Iterator[None]:
    """Hold a working folder for this process; raise ExportRefused when another one has it."""
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(work / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Busy(f"another process works in {work}; wait for it, or stop it") from error
    finally:
        os.close(descriptor)
