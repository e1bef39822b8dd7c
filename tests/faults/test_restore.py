"""An older backup brought back: nothing goes in before two persons have opened an epoch."""

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.utils import timezone

from audit import api, chain, sealer
from audit.models import Block, Record
from audit.outside import Outside
from audit.recovery import epochs, standing
from tests.audit.people import enter
from tests.audit.sealing import ORIGIN, Ledger
from tests.services import TestServices, django_on

WRITERS = ("application", "sealer", "gate")
PLAIN = (
    "INSERT INTO audit_record (stream, kind, payload) "
    """VALUES ('a', 'b', '{"kind":"b","stream":"a"}')"""
)


def append(count: int = 1) -> None:
    with transaction.atomic():
        for _ in range(count):
            api.append(stream="test", kind="test.fact.noted")


def grow(ledger: Ledger, records: int) -> None:
    """Append records in a few blocks, each with its checkpoint."""
    while records:
        step = min(records, random.Random(records).randint(1, 400))
        append(step)
        ledger.seal()
        records -= step


class Past:
    """A database as it was, to be brought back: what a restored backup looks like."""

    def __init__(self, services: TestServices, ledger: Ledger) -> None:
        self.services, self.ledger = services, ledger
        connection.close()
        self.copy = services.clone(template=ledger.name)

    @contextmanager
    def brought_back(self) -> Iterator[Ledger]:
        """Go on with the old state, as after a start of the database server."""
        restored = Ledger.__new__(Ledger)
        restored.__dict__ |= self.ledger.__dict__ | {"name": self.copy}
        elsewhere = self.ledger.outside.folder.with_name(f"checkpoints-{self.copy}")
        shutil.copytree(self.ledger.outside.folder, elsewhere)
        restored.outside = Outside(elsewhere)
        with self.services.connect("superuser", self.copy) as server:
            server.execute("SELECT setval('audit_open', 1)")  # another start of the server
        with django_on(self.copy):
            yield restored
        self.services.drop(self.copy)


@contextmanager
def acting_for_recovery(services: TestServices, name: str) -> Iterator[None]:
    """Work as ``manage.py open_epoch`` does: an administrator who acts as twin_recovery."""
    from twin_core.supervisor import database

    with database.django_connected(services.admin_url(), database=name, role="twin_recovery"):
        yield


def refused_everywhere(services: TestServices, name: str, words: str) -> int:
    """Try an insert as each writing role; return how many went in."""
    written = 0
    for role in WRITERS:
        with services.connect(role, name) as writer:
            try:
                writer.execute(PLAIN)
                written += 1
            except Exception as error:
                assert getattr(error, "sqlstate", None) == standing.CLOSED
                assert words in str(error)
            writer.rollback()
    return written


def open_by_two(services, ledger, first, second, reason="disk lost, last backup restored"):
    """Open an epoch as the two persons do; returns the fork record."""
    now = timezone.now()
    with acting_for_recovery(services, ledger.name):
        shown = epochs.situation(ORIGIN, ledger.outside)
        signed_by = [(each.user, each.prove(now)) for each in (first, second)]
        return shown, epochs.open_epoch(shown, signed_by=signed_by, reason=reason)


@pytest.fixture
def people(ledger):
    return enter("ada", "qa_approver"), enter("bert", "system_administrator")


@pytest.mark.fault("BAK-01")
@pytest.mark.requirement("URS-AUD-040")
@pytest.mark.requirement("URS-AUD-041")
def test_a_restored_older_state_takes_no_record_before_its_epoch(
    campaign, services, ledger, people
):
    written = detected = 0
    exact = True
    append()
    ledger.seal()
    for run in range(campaign.runs):
        missing = (1, 10, 1000)[run % 3]
        kept = Record.objects.count()
        past = Past(services, ledger)
        grow(ledger, missing)
        with past.brought_back() as restored:
            written += refused_everywhere(services, restored.name, "not checked yet")
            with pytest.raises(sealer.LedgerClosed, match=f"{missing} (is|are) missing"):
                restored.seal()
            detected += not standing.is_open()
            written += refused_everywhere(services, restored.name, "after a restore")
            shown, _ = open_by_two(services, restored, *people)
            exact &= (shown.lost.start, shown.lost.stop) == (kept, kept + missing)
            restored.seal()
            assert standing.is_open()
            assert restored.verify().finding is None
            last = chain.Header.decode(Block.objects.order_by("-number")[0].header.encode())
            assert (last.epoch, last.first_sequence) == (1, kept)
            append()
            assert restored.seal() == 1
            assert restored.verify().finding is None
    campaign.saw(
        writes_before_epoch=written,
        detected_share=detected / campaign.runs,
        lost_range_exact=int(exact),
    )
