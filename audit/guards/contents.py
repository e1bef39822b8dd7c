"""Kept contents (blobs) against their digests: each is looked at again and again.

A content that is not what its digest says is never given out as the original
(``ledger.get_blob`` refuses); here it is found without anybody asking for it.
"""

import hashlib
import time

import structlog
from django.db import connection, transaction

from audit import ledger
from audit.guards.standing import STREAM
from audit.models import Blob, Record
from audit.refusals import Refused

DAMAGED = "audit.content.damaged"
MOST, LARGEST = 200, 32 * 1024 * 1024  # contents, and bytes, of one look
PAUSE = 6 * 3600.0  # seconds between the end of a round and the next one
NEXT = """
SELECT digest FROM (
    SELECT digest, sum(octet_length(content)) OVER (ORDER BY digest) AS bytes
    FROM (SELECT digest, content FROM audit_blob WHERE digest > %s ORDER BY digest LIMIT %s) stretch
) counted WHERE bytes <= %s OR digest = (SELECT min(digest) FROM audit_blob WHERE digest > %s)
"""

log = structlog.get_logger("guards")


class ContentDamaged(Refused):
    """A kept content is not what it is cited as: it is not given out."""

    act = "audit.content"
    stream = STREAM
    code = "content_mismatch"
    what_to_do = "Restore the content from a copy whose SHA-256 is its name."

    @classmethod
    def of(cls, mismatch: ledger.ContentMismatch) -> "ContentDamaged":
        """Return the refusal that a person is told; ``data`` is what ``tell_damaged`` takes."""
        facts = {"digest": mismatch.digest, "found": mismatch.found, "size": mismatch.size}
        return cls(str(mismatch), data=facts)


def given_out(digest: str) -> bytes:
    """Return a kept content; raises ContentDamaged, and records it, when it was replaced."""
    try:
        return ledger.get_blob(digest)
    except ledger.ContentMismatch as error:
        refusal = ContentDamaged.of(error)
        tell_damaged(**refusal.data)
        raise refusal from error


def mismatch_in(error: BaseException | None) -> ledger.ContentMismatch | None:
    """Return the damaged content that an error comes from; None when it comes from another cause.

    ``from None`` ends the search: who raises so has dealt with the cause.
    """
    while error is not None:
        if isinstance(error, ledger.ContentMismatch):
            return error
        error = error.__cause__
    return None


class Sweep:
    """Walks round all kept contents in the order of their digests, a stretch at each look."""

    def __init__(self) -> None:
        self.reached = ""
        self.resting_until = 0.0  # monotonic
        self.damaged: set[str] = set()

    def look(self) -> list[str]:
        """Check the next stretch; record what is damaged, once a process; return all found so far.

        A damaged content that is sound again in a later round is no longer named.
        """
        if time.monotonic() >= self.resting_until:
            stretch = self._stretch()
            for digest in stretch:
                self._check(digest)
            self.reached = stretch[-1] if stretch else ""
            if not stretch:
                self.resting_until = time.monotonic() + PAUSE
        return sorted(self.damaged)

    def _stretch(self) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(NEXT, [self.reached, MOST, LARGEST, self.reached])
            return sorted(row[0] for row in cursor.fetchall())

    def _check(self, digest: str) -> None:
        content = bytes(Blob.objects.get(pk=digest).content)
        found = hashlib.sha256(content).hexdigest()
        if found == digest:
            self.damaged.discard(digest)
        elif digest not in self.damaged:
            self.damaged.add(digest)
            tell_damaged(digest, found=found, size=len(content))


def tell_damaged(digest: str, *, found: str, size: int) -> Record | None:
    """Record that a content is not what its digest says; None when the same is on record."""
    facts = {"digest": digest, "found": found, "bytes": size}
    log.error("a kept content is damaged", **facts)
    last = Record.objects.filter(stream=STREAM, kind=DAMAGED).order_by("-id").first()
    if last is not None and ledger.content(last)["data"] == facts:
        return None
    with transaction.atomic():
        return ledger.append(
            stream=STREAM,
            kind=DAMAGED,
            reason="its SHA-256 is not the one that it is kept and cited under",
            data=facts,
        )
