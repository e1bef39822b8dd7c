"""Proving who one is, at login and at each signature: password and one-time code, both, each time.

A proof is settled in a transaction of its own, before the act it is for: whatever becomes of the
act, the code is used up. Acceptances and refusals are records on the person's stream, and from
these the lock-out is told; there is no counter that could be set back.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from audit import actors, credentials, ledger, lockout
from audit.models import Credential, Record, User
from audit.recovery import clock
from audit.refusals import Refused

METHOD = "password and one-time code"
LIFE = timedelta(minutes=2)  # from proof to signature
SIGNING, LOGIN, ACCOUNT = "signing", "login", "account"  # purposes
KINDS = {  # purpose -> what an accepted, a refused and a locked attempt are recorded as
    SIGNING: ("audit.proof.accepted", "audit.proof.refused", "audit.proof.locked"),
    ACCOUNT: ("audit.proof.accepted", "audit.proof.refused", "audit.proof.locked"),
    LOGIN: ("audit.session.proved", "audit.session.refused", "audit.session.locked"),
}
NOT_ACCEPTED = "password or one-time code not accepted"
USED_BEFORE = "this one-time code was used before and is not accepted again"


class SignatureRefused(Refused):
    """Password, code or proof was not accepted; ``next_code_at`` says when a code will be."""

    status = 403
    act = "audit.signature"
    what_to_do = "Enter your password and the next code of your authenticator."

    def __init__(
        self, reason: str, *, next_code_at: datetime | None = None, **options: Any
    ) -> None:
        super().__init__(reason, **options)
        self.next_code_at = next_code_at


@dataclass(frozen=True, slots=True)
class SigningProof:
    """That one person gave both components just now; good for one signature within two minutes.

    It is a claim: ``audit.signatures.sign`` checks it against its record, and the database takes
    each such record once.
    """

    signer_id: UUID
    record_id: UUID
    leaf: bytes = field(repr=False)
    proved_at: datetime


@dataclass(frozen=True, slots=True)
class Given:
    """What was seen before the transaction: slow hashing and decryption hold no lock."""

    password_right: bool
    step: int | None  # of the code, when it is one of this time
    held: tuple[tuple[UUID, str], ...]  # the credentials it was compared with
    better_hash: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """A person's credentials at one moment."""

    password: Credential | None
    code: Credential | None

    def identity(self) -> tuple[tuple[UUID, str], ...]:
        both = (held for held in (self.password, self.code) if held is not None)
        return tuple((held.pk, held.secret) for held in both)


def prove(
    user: User,
    *,
    password: str,
    code: str,
    purpose: str = SIGNING,
    address: str | None = None,
    now: datetime | None = None,
) -> SigningProof:
    """Check both components and use the code up; return the proof.

    Raises SignatureRefused (recorded already) when either is wrong, the code was used before, the
    person is not active or has to wait after failures; RuntimeError inside a transaction.
    """
    if connection.in_atomic_block:
        raise RuntimeError("prove before the act's transaction: its code stays used in any case")
    if purpose == SIGNING:
        clock.require_agreement()  # before a code is used up
    now, address = now or timezone.now(), address or actors.current_source().address
    with actors.from_address(actors.process_actor() if purpose == LOGIN else user, address):
        if until := _locked(stream_of(user), purpose, address, now):
            with transaction.atomic():
                refusal = _refuse_locked(stream_of(user), purpose, until, now, {})
            raise refusal
        given = _look(user, password, code, now)
        with transaction.atomic():
            outcome = _settle(user, given, purpose=purpose, address=address, now=now)
    if isinstance(outcome, SignatureRefused):
        raise outcome
    return outcome


def refusal_of_unknown(
    name: str, *, password: str, address: str | None, now: datetime
) -> SignatureRefused:
    """Record and return the refusal of a name that nobody has: as slow and worded as others."""
    shown = name if re.fullmatch(r"[\w.@ -]{1,80}", name) else "(not a user name)"
    stream, facts = f"person/unknown/{shown.casefold()}", {"name": shown}
    with actors.from_address(actors.process_actor(), address):
        until = _locked(stream, LOGIN, address, now)
        if until is None:
            credentials.verify_password(password, None)
        with transaction.atomic():
            if until is not None:
                return _refuse_locked(stream, LOGIN, until, now, facts)
            return _refuse(stream, LOGIN, ["name"], now, facts, next_code_at=None)


def stream_of(user: User) -> str:
    return f"person/{user.pk}"


def _held(user: User) -> Held:
    kinds = Credential.Kind
    return Held(credentials.active(user, kinds.PASSWORD), credentials.active(user, kinds.CODE))


def _look(user: User, password: str, code: str, now: datetime) -> Given:
    held = _held(user)
    stored = held.password.secret if held.password else None
    right, better = credentials.verify_password(password, stored)
    step = credentials.matching_step(code, held.code, now)
    return Given(right, step, held.identity(), better)


def _settle(
    user: User, given: Given, *, purpose: str, address: str | None, now: datetime
) -> SigningProof | SignatureRefused:
    """Decide under the person's lock, so that no two requests share a code or a free attempt."""
    fresh, stream = credentials.lock(user), stream_of(user)
    if until := _locked(stream, purpose, address, now):
        return _refuse_locked(stream, purpose, until, now, {})
    held = _held(fresh)
    failed = list(_failures(fresh, held, given))
    changes = _use_up(held.code, given)
    if failed:
        facts = {"person": str(fresh.pk), "name": fresh.username}
        return _refuse(
            stream, purpose, failed, now, facts, changes=changes, next_code_at=_next(held, now)
        )
    record = _record(
        stream, KINDS[purpose][0], now, changes, {"purpose": purpose, "method": METHOD}, fresh
    )
    _upgrade_hash(held.password, given)
    return SigningProof(fresh.pk, record.pk, bytes(record.leaf), now)


def _failures(user: User, held: Held, given: Given) -> Any:
    """Yield what stands against the attempt; the person hears less than the record."""
    if not user.is_active:
        yield "inactive"
    if held.password is None or held.code is None:
        yield "not enrolled"
    if held.identity() != given.held:
        yield "credential changed meanwhile"
    if not given.password_right:
        yield "password"
    if given.step is None:
        yield "code"
    elif held.code is not None and given.step <= (held.code.last_step or -1):
        yield "code used"


def _use_up(code: Credential | None, given: Given) -> list[tuple[Credential, dict[str, Any]]]:
    """Move the last accepted step on: a recognised code is spent, right password or not."""
    if code is None or given.step is None or given.step <= (code.last_step or -1):
        return []
    old = code.state_fields()
    code.last_step = given.step
    return [(code, old)]


def _record(
    stream: str,
    kind: str,
    now: datetime,
    changed: list[tuple[Credential, dict[str, Any]]],
    data: dict[str, Any],
    actor: Any = None,
    reason: str | None = None,
) -> Record:
    record = ledger.append(
        stream=stream,
        kind=kind,
        actor=actor,
        changes=[(row, old, row.state_fields()) for row, old in changed],
        data=data,
        reason=reason,
        occurred_at=now,
    )
    for row, _ in changed:
        row.save(record=record)
    return record


def _refuse(
    stream: str,
    purpose: str,
    failed: list[str],
    now: datetime,
    facts: dict[str, Any],
    *,
    next_code_at: datetime | None,
    changes: list[tuple[Credential, dict[str, Any]]] | None = None,
) -> SignatureRefused:
    only_used = failed == ["code used"]
    reason = USED_BEFORE if only_used else NOT_ACCEPTED
    data = {"purpose": purpose, "failed": failed, **facts}
    _record(stream, KINDS[purpose][1], now, changes or [], data, reason=reason)
    return SignatureRefused(
        reason,
        act="audit.session" if purpose == LOGIN else "audit.signature",
        next_code_at=next_code_at,
        what_to_do=_advice(next_code_at, now),
        is_recorded=True,
    )


def _refuse_locked(
    stream: str, purpose: str, until: datetime, now: datetime, facts: dict[str, Any]
) -> SignatureRefused:
    reason = f"too many failed attempts; the next one is let in at {until:%H:%M:%S} UTC"
    data = {"purpose": purpose, "until": until, **facts}
    _record(stream, KINDS[purpose][2], now, [], data, reason=reason)
    return SignatureRefused(
        reason,
        next_code_at=until,
        what_to_do=f"Wait until {until:%H:%M:%S} UTC. If it was not you, tell the system "
        "administrator at once.",
        is_recorded=True,
    )


def _advice(next_code_at: datetime | None, now: datetime) -> str:
    if next_code_at is None or next_code_at <= now:
        return SignatureRefused.what_to_do
    return f"Enter your password and the code shown from {next_code_at:%H:%M:%S} UTC on."


def _next(held: Held, now: datetime) -> datetime:
    used = held.code.last_step if held.code is not None else None
    if used is None or used < credentials.step_at(now):
        return now
    return credentials.start_of(used + 1)


def _upgrade_hash(password: Credential | None, given: Given) -> None:
    if password is None or given.better_hash is None:
        return
    old = password.state_fields()
    password.secret = given.better_hash
    record = ledger.append(
        stream=credentials.STREAM,
        kind="audit.credential.upgraded",
        actor=actors.process_actor(),
        subject=password,
        old=old,
        new=password.state_fields(),
        reason="the stored hash was made by outdated rules",
    )
    password.save(record=record)


def _locked(stream: str, purpose: str, address: str | None, now: datetime) -> datetime | None:
    accepted, refused, _ = KINDS[purpose]
    told = Record.objects.filter(stream=stream, kind__in=(accepted, refused)).order_by("-id")
    attempts = [_attempt(record, accepted) for record in told[: lockout.LOOK_BACK]]
    until = lockout.locked_until(attempts, address=address)
    return until if until is not None and now < until else None


def _attempt(record: Record, accepted: str) -> lockout.Attempt:
    content = ledger.content(record)
    at = datetime.fromisoformat(content["occurred_at"])
    return lockout.Attempt(at, content["source"]["address"], record.kind == accepted)
