"""Drop a month's texts after their time: proposed and approved by two, checked, told, done.

Keys, leaves, transactions and times stay, and with them every proof of every other record.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from audit import canonical, ledger, signatures
from audit.models import ArchivedMonth, Publication, Record, Role, User
from audit.retention import archive, evidence, months, policies, policy
from audit.retention.bundle import MonthBundle, entry_of
from audit.retention.gaps import APPROVERS, DROPPED, PROPOSED, Gap
from audit.retention.refusing import RetentionRefused

SIGNING_ROLES = (Role.QA_REVIEWER, Role.QA_APPROVER)
LOOK_BACK = 500  # published checkpoints whose cosignatures are read, newest first
KEPT_ALWAYS = policy.ALWAYS_KEPT


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands for and against dropping a month, at one moment."""

    month: str
    state: str | None  # of the month; None when it is not archived
    now: datetime  # by the database's clock
    shown_until: datetime | None  # by evidence from outside; None when there is none
    retain_until: datetime | None
    holds: tuple[str, ...]
    bundle_flaw: str | None
    approvers: int | None = None  # persons who approved; None where that is not asked yet


def reasons_against(facts: Facts) -> list[str]:
    """Return everything that stands against dropping the month; empty when it may go."""
    if facts.state != ArchivedMonth.State.ARCHIVED:
        return [f"{facts.month} is {facts.state or 'not archived'}"]
    guards = (is_over_by_clock, is_over_by_evidence, is_free_of_holds, has_its_bundle, is_approved)
    return [reason for guard in guards if (reason := guard(facts))]


def is_over_by_clock(facts: Facts) -> str | None:
    until = facts.retain_until
    if until is not None and until < facts.now:
        return None
    return f"its retention is not over before {until:%Y-%m-%d}"


def is_over_by_evidence(facts: Facts) -> str | None:
    until, shown = facts.retain_until, facts.shown_until
    if until is not None and shown is not None and until < shown:
        return None
    seen = f"shows {shown:%Y-%m-%d}" if shown else "shows nothing"
    return f"evidence from outside the database {seen}, retention ends {until:%Y-%m-%d}"


def is_free_of_holds(facts: Facts) -> str | None:
    return f"held: {', '.join(facts.holds)}" if facts.holds else None


def has_its_bundle(facts: Facts) -> str | None:
    return facts.bundle_flaw


def is_approved(facts: Facts) -> str | None:
    if facts.approvers is None or facts.approvers >= APPROVERS:
        return None
    return f"{facts.approvers} of {APPROVERS} persons have approved it"


def facts_about(month: str, *, place: Path | None = None, approvers: int | None = None) -> Facts:
    """Gather the facts now; the bundle is verified in ``place``, or where it was written."""
    row = ArchivedMonth.objects.filter(month=month).first()
    return Facts(
        month=month,
        state=row.state if row else None,
        now=months.now(),
        shown_until=shown_until(month) if row else None,
        retain_until=max(row.retain_until, archive.retention_of(month)) if row else None,
        holds=tuple(f"{s} {v} ({m})".replace("  ", " ") for s, v, m in months.holds_on(month)),
        bundle_flaw=_flaw_of_bundle(row, place or Path(row.place)) if row else None,
        approvers=approvers,
    )


def _flaw_of_bundle(row: ArchivedMonth, place: Path) -> str | None:
    try:
        told = archive.checked(place, row.month)
    except (archive.BundleWrong, OSError) as error:
        return f"the bundle does not verify: {error}"
    return None if told["manifest"] == row.manifest else f"{place} is another bundle"


def shown_until(month: str) -> datetime | None:
    """Return up to when time has passed by evidence of the kind that the policy accepts."""
    held = policies.in_force()
    if held is None:
        return None
    if held.evidence == "outside":
        notes = Publication.objects.order_by("-tree_size").values_list("note", flat=True)
        times = [t for n in notes[:LOOK_BACK] for t in evidence.cosigned_times(n, held.witnesses)]
        return max(times, default=None)
    days = evidence.kept_days(Path(settings.CHECKPOINT_DIR))
    lived = evidence.lived_until(days, policy.month_end(month).date())
    return evidence.moment_of(lived, _stepped_since(month))


def _stepped_since(month: str) -> timedelta:
    """Return by how much the clock was stepped forward since the month, as recorded."""
    rows = Record.objects.filter(
        stream="ledger", kind="audit.clock.stepped", recorded_at__gte=months.month_start(month)
    )
    steps = [canonical.quantity(ledger.content(row)["data"]["step"]) for row in rows]
    return timedelta(seconds=sum(step for step in steps if step > 0))


def view(month: str) -> dict[str, Any]:
    """Return what both persons are shown, and sign; raises RetentionRefused."""
    row = ArchivedMonth.objects.filter(month=month).first()
    if row is None or row.state != ArchivedMonth.State.ARCHIVED:
        raise RetentionRefused(month, "approve", [f"{month} is not archived, or dropped already"])
    return {
        "act": "drop the texts of a month after their time",
        "month": month,
        "manifest": row.manifest,
        "records": row.records,
        "retain_until": row.retain_until,
        "kept": kept_streams(),
    }


def kept_streams() -> list[str]:
    """Return the LIKE patterns of streams that the policy keeps for ever."""
    held = policies.in_force()
    return held.kept_streams() if held else []


def proposal_of(month: str) -> Record | None:
    """Return the newest proposal about the month as it stands."""
    for record in Record.objects.filter(stream="ledger", kind=PROPOSED).order_by("-id"):
        told = ledger.content(record)["data"]
        if told["month"] == month:
            return record if told["kept"] == kept_streams() else None
    return None


def approvers_of(record: Record | None) -> list[UUID]:
    """Return the persons whose valid approvals a proposal bears."""
    if record is None:
        return []
    made = signatures.signatures_of(record)
    valid = {one.id for one in made if one.is_valid}
    rows = record.signatures.filter(pk__in=valid, meaning="approval")
    return sorted(set(rows.values_list("signer_id", flat=True)))


@transaction.atomic
def approve(month: str, *, signer: User, proof: Any, reason: str, shown: str) -> Record:
    """Sign that a month may go; the first signature makes the proposal, the second needs another
    person. Raises RetentionRefused, ViewChanged, NotEntitled, SignatureRefused."""
    document = view(month)
    signatures.require_view(document, shown)
    if reasons := reasons_against(facts_about(month)):
        raise RetentionRefused(month, "approve", reasons)
    record = proposal_of(month) or ledger.append(
        stream="ledger",
        kind=PROPOSED,
        actor=signer,
        reason=reason,
        data={name: document[name] for name in ("month", "manifest", "records", "kept")},
    )
    signatures.sign(
        record,
        signer=signer,
        proof=proof,
        meaning="approval",
        reason=reason,
        view=document,
        roles=SIGNING_ROLES,
        authors=approvers_of(record),
    )
    return record


def drop(month: str, *, actor: Any, place: Path | None = None) -> ArchivedMonth:
    """Drop a month's texts. Raises RetentionRefused with all reasons, or what the database says."""
    approval = proposal_of(month)
    approvers = len(approvers_of(approval))
    facts = facts_about(month, place=place, approvers=approvers)
    if reasons := reasons_against(facts):
        raise RetentionRefused(month, "drop", reasons)
    assert approval is not None and facts.shown_until is not None
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL transaction_timeout = 0")
        row = ArchivedMonth.objects.select_for_update().get(month=month)
        _tell(row, approval, facts, actor)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT ledger_drop_month(%s, %s, %s, %s)",
                [month, approval.pk, facts.shown_until, kept_streams()],
            )
    return row


def _tell(row: ArchivedMonth, approval: Record, facts: Facts, actor: Any) -> None:
    """Write the tombstone: which lines are left, under which approval and evidence."""
    gap = _gap_of(row)
    before = row.state_fields()
    row.state, row.dropped = ArchivedMonth.State.DROPPED, gap.count
    row.lines_digest = gap.digest.hexdigest()
    record = ledger.append(
        stream="ledger",
        kind=DROPPED,
        actor=actor,
        subject=row,
        old=before,
        new=row.state_fields(),
        reason=ledger.content(approval)["reason"],
        parents=[approval.leaf, row.record.leaf],
        data={
            "month": row.month,
            "manifest": row.manifest,
            "approval": str(approval.pk),
            "shown_until": facts.shown_until,
            **gap.as_told(),
        },
    )
    row.save(record=record)


def _gap_of(row: ArchivedMonth) -> Gap:
    """Return the lines that the drop leaves behind."""
    gap = Gap(row.first_sequence)
    head = months.newest_head()
    assert head is not None
    work = MonthBundle(row.month, months.span_of(row.month), head)
    kept = _kept_keys(row.month)
    for block, lines in work.walk():
        for place, line in enumerate(lines):
            if work.holds(line.pk) and line.pk not in kept:
                entry = entry_of(block, place, line)
                gap.first = entry.sequence if not gap.count else gap.first
                gap.add(entry)
    return gap


def _kept_keys(month: str) -> set[UUID]:
    patterns = [*kept_streams(), *KEPT_ALWAYS]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM audit_record WHERE id >= %s AND id < %s AND stream LIKE ANY (%s)",
            [*months.bounds(month), patterns],
        )
        return {identity for (identity,) in cursor.fetchall()}
