"""BAK-07: months that must not go yet, under everything that could make them look ready to go."""

from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from audit import api, canonical
from audit.models import ArchivedMonth, Record
from audit.retention import drops, months
from audit.retention.refusing import RetentionRefused, record
from tests.audit.conftest import ledger  # noqa: F401  the fixture
from tests.audit.retention.old_months import POLICY, Decades, note_now

YOUNG = "2024-03"  # five years of retention are not over before 2029
FORWARD = timedelta(days=20 * 365)


@pytest.fixture
def site(ledger: Any, as_role: Any, settings: Any, tmp_path: Any) -> Decades:  # noqa: F811
    """A young month, archived; the approvals are put there as if two persons had erred."""
    made = Decades(ledger, as_role, settings, tmp_path)
    note_now(1)
    made.keys = made.past(YOUNG, "batch/B-1", "test")
    note_now(1)
    ledger.seal()
    made.lived("2024-03-31")
    made.archive(YOUNG)
    return made


def clock_forward(site: Decades, patch: Any) -> None:
    """The program's clock and the database's, as the program asks for it, run 20 years ahead."""
    late = datetime.now(UTC) + FORWARD
    patch.setattr(months, "now", lambda: late)


def forwarded_checkpoints(site: Decades, patch: Any) -> None:
    """The forwarded clock has left checkpoints of its own days too."""
    clock_forward(site, patch)
    late = datetime.now(UTC).date() + FORWARD
    for day in range(3):
        (site.ledger.outside.folder / f"{late + timedelta(days=day)}.jsonl").touch()


def stepped_clock(site: Decades, patch: Any) -> None:
    """The clock walked ahead in steps that leave no gap; each step is on record."""
    clock_forward(site, patch)
    site.lived(f"{datetime.now(UTC).date()}", datetime.now(UTC).date() + FORWARD)
    with transaction.atomic():
        api.append(
            stream="ledger",
            kind="audit.clock.stepped",
            data={"step": canonical.number(FORWARD.total_seconds(), "s")},
        )


def evidence_believed(site: Decades, patch: Any) -> None:
    """Even where the evidence is deceived, the database's own clock is not over."""
    clock_forward(site, patch)
    patch.setattr(drops, "shown_until", lambda month: datetime.now(UTC) + FORWARD)


def held(site: Decades, patch: Any) -> None:
    evidence_believed(site, patch)
    if not site.proved.get("held"):
        site.hold("stream", "batch/B-1")
        site.proved["held"] = 1


def policy_shortened(site: Decades, patch: Any) -> None:
    if not site.proved.get("shortened"):
        site.sign_policy(POLICY.replace(b"years: 5", b"years: 1"))
        site.proved["shortened"] = 1


WAYS = (
    clock_forward,
    forwarded_checkpoints,
    stepped_clock,
    policy_shortened,
    evidence_believed,
    held,
)


@pytest.mark.fault("BAK-07")
@pytest.mark.requirement("URS-AUD-064")
def test_no_month_goes_early_whatever_the_clock_the_hold_or_the_policy(site, campaign, monkeypatch):
    erring = approved_wrongly(site)
    for way in islice(cycle(WAYS), campaign.runs):
        with monkeypatch.context() as patch:
            way(site, patch)
            patch.setattr(drops, "approvers_of", lambda record: [1, 2])
            patch.setattr(drops, "proposal_of", lambda month: erring)
            if way in (evidence_believed, held):  # the program's own checks are off: the database
                patch.setattr(drops, "reasons_against", lambda facts: [])
            with pytest.raises((RetentionRefused, DatabaseError)) as refused:
                site.drop(YOUNG)
        if isinstance(refused.value, RetentionRefused):
            record(refused.value)
    left = Record.objects.filter(pk__in=site.keys).count()
    gone = ArchivedMonth.objects.filter(state="dropped").count()
    assert Record.objects.filter(kind="audit.retention.refused").exists()
    assert site.ledger.seal() and site.ledger.verify().ok
    campaign.saw(early_deletions=len(site.keys) - left + gone)


def approved_wrongly(site: Decades) -> Record:
    """Return a proposal with two signatures, made while nobody looked at the reasons."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drops, "reasons_against", lambda facts: [])
        site.approve(YOUNG, site.approver)
        return site.approve(YOUNG, site.second)
