"""The page "Archive and holds": months with their state, holds, and what can be signed there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from audit import identity, signatures
from audit.models import ArchivedMonth, LegalHold, User
from audit.pages import SigningDialog
from audit.retention import drops, holds, months, policies, policy
from audit.retention.forms import HoldForm, SignForm

COUNTED = 100_000  # beyond this the records of a month that is not archived are not counted
COUNT = """
SELECT count(*) FROM (
    SELECT FROM audit_record WHERE id >= %s AND id < %s LIMIT %s) counted
"""


@dataclass(frozen=True)
class MonthRow:
    """One month. ``records`` is text where more are there than were counted."""

    month: str
    state: str  # open | over | archived | dropped
    records: int | str
    manifest: str = ""
    size: int | None = None  # bytes
    retain_until: datetime | None = None
    is_held: bool = False
    approvals: int = 0
    dropped: int = 0
    href: str = ""  # record of the last change
    dialog_id: str = ""  # of the approval, where this person may give one now


@dataclass(frozen=True)
class HoldRow:
    scope: str
    value: str
    matter: str
    since: datetime
    href: str
    is_active: bool
    dialog_id: str = ""


@dataclass(frozen=True)
class ArchivePage:
    """``audit/archive.html``. ``hold_form`` is None for people who may not set holds."""

    months: Sequence[MonthRow]
    holds: Sequence[HoldRow]
    policy: policy.Policy | None
    hold_form: HoldForm | None = None
    dialogs: Sequence[SigningDialog] = ()


@dataclass(frozen=True)
class Bound:
    """A dialog that was sent and came back with errors."""

    id: str
    form: SignForm


def archive_page(user: User, query: QueryDict, bound: Bound | None = None) -> ArchivePage:
    signs = bool(identity.current_roles(user) & set(holds.SIGNING_ROLES))
    dialogs: list[SigningDialog] = []
    rows = [_month_row(user, month, signs, dialogs, bound) for month in shown_months()]
    held = LegalHold.objects.select_related("record").order_by("-is_active", "-id")
    hold_rows = [_hold_row(user, hold, signs, dialogs, bound) for hold in held]
    form = HoldForm(query if "scope" in query else None) if signs else None
    if form is not None and form.is_bound and form.is_valid():
        dialogs.append(setting_dialog(user, form, bound))
    return ArchivePage(rows, hold_rows, policies.in_force(), form, dialogs)


def shown_months() -> list[str]:
    """Return the months that have begun, newest first."""
    begun = months.now()
    return [m for m, _ in reversed(months.partitions()) if months.month_start(m) <= begun]


def _month_row(
    user: User, month: str, signs: bool, dialogs: list[SigningDialog], bound: Bound | None
) -> MonthRow:
    row = ArchivedMonth.objects.filter(month=month).select_related("record").first()
    is_held = bool(months.holds_on(month))
    if row is None:
        is_over = policy.month_end(month) <= months.now()
        return MonthRow(month, "over" if is_over else "open", counted(month), is_held=is_held)
    approvers = drops.approvers_of(drops.proposal_of(month))
    dialog_id = ""
    if signs and _may_approve(user, row, approvers, is_held):
        dialogs.append(approval_dialog(user, row, bound))
        dialog_id = dialogs[-1].id
    return MonthRow(
        month=month,
        state=row.state,
        records=row.records,
        manifest=row.manifest,
        size=row.size,
        retain_until=row.retain_until,
        is_held=is_held,
        approvals=len(approvers),
        dropped=row.dropped,
        href=reverse("audit:record", args=[row.record_id]),
        dialog_id=dialog_id,
    )


def _may_approve(user: User, row: ArchivedMonth, approvers: list[Any], is_held: bool) -> bool:
    is_over = row.state == ArchivedMonth.State.ARCHIVED and row.retain_until < months.now()
    return is_over and not is_held and user.pk not in approvers


def counted(month: str) -> int | str:
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [*months.bounds(month), COUNTED + 1])
        found = cursor.fetchone()[0]
    return found if found <= COUNTED else f"more than {COUNTED}"


def _hold_row(
    user: User, hold: LegalHold, signs: bool, dialogs: list[SigningDialog], bound: Bound | None
) -> HoldRow:
    dialog_id = ""
    if signs and hold.is_active:
        dialogs.append(release_dialog(user, hold, bound))
        dialog_id = dialogs[-1].id
    return HoldRow(
        scope=LegalHold.Scope(hold.scope).label,
        value=hold.value,
        matter=hold.matter,
        since=hold.record.recorded_at,
        href=reverse("audit:record", args=[hold.record_id]),
        is_active=hold.is_active,
        dialog_id=dialog_id,
    )


def setting_dialog(user: User, form: HoldForm, bound: Bound | None) -> SigningDialog:
    given = form.cleaned_data
    view = holds.view_of_setting(given["scope"], given["value"], given["matter"])
    what = f"{LegalHold.Scope(view['scope']).label.lower()} {view['value']}".strip()
    return _dialog(
        user,
        "hold",
        bound,
        title="Set a legal hold",
        action=reverse("audit:hold"),
        statement=f"A hold on {what}, for {view['matter']}. No month with a record under it is "
        "dropped until another person releases it.",
        view=view,
        hidden={name: view[name] for name in ("scope", "value", "matter")},
        is_open=True,
    )


def release_dialog(user: User, hold: LegalHold, bound: Bound | None) -> SigningDialog:
    return _dialog(
        user,
        f"release-{hold.pk}",
        bound,
        title="Release a legal hold",
        action=reverse("audit:release", args=[hold.pk]),
        statement=f"The hold on {LegalHold.Scope(hold.scope).label.lower()} {hold.value}, for "
        f"{hold.matter}, is released. Who set it cannot release it.",
        view=holds.view_of_release(hold),
    )


def approval_dialog(user: User, row: ArchivedMonth, bound: Bound | None) -> SigningDialog:
    return _dialog(
        user,
        f"approve-{row.month}",
        bound,
        title=f"Approve that {row.month} is dropped",
        action=reverse("audit:approve_drop", args=[row.month]),
        statement=f"{row.records} records of {row.month} may be dropped; their archive is the "
        f"bundle {row.manifest[:12]}…. Two persons approve; the system administrator then runs "
        f"manage.py drop_month {row.month}, which checks everything again.",
        view=drops.view(row.month),
        is_danger=True,
        submit_label="Approve the drop",
    )


def _dialog(
    user: User,
    identity: str,
    bound: Bound | None,
    *,
    title: str,
    action: str,
    statement: str,
    view: dict[str, Any],
    hidden: dict[str, str] | None = None,
    **more: Any,
) -> SigningDialog:
    digest = signatures.view_digest(view)
    is_bound = bound is not None and bound.id == identity
    form = bound.form if bound and is_bound else SignForm(initial={"view": digest})
    form.carry(hidden or {})
    form.auto_id = f"{identity}_%s"
    now, ready = timezone.now(), signatures.next_code_at(user, timezone.now())
    return SigningDialog(
        id=identity,
        title=title,
        action_href=action,
        statement=statement,
        view_digest=digest,
        printed_name=user.printed_name,
        form=form,
        code_ready_at=ready if ready is not None and ready > now else None,
        is_open=more.pop("is_open", False) or is_bound,
        **more,
    )
