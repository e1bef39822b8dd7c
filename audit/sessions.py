"""Sessions: opened with both components, ended by the person, by time, or by a changed account.

Only a person's own requests keep a session open; what a page fetches by itself does not (see
``twin_core.config.sessions``). Each beginning and end is a record on the person's stream.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from audit import actors, ledger, proofs
from audit.models import OpenSession, User
from audit.session_store import ADDRESS, OPENED, SEEN, SessionStore, moment

BACKEND = "audit.auth_backend.PeopleBackend"
TOUCH_EVERY = timedelta(seconds=10)  # a person's clicks write the session no oftener


def idle_limit() -> timedelta:
    return timedelta(seconds=settings.SESSION_IDLE)


def absolute_limit() -> timedelta:
    return timedelta(seconds=settings.SESSION_COOKIE_AGE)


def short(key: str | None) -> str | None:
    """Return a session's name on records: a hash, for the key itself is a secret."""
    return hashlib.sha256(key.encode()).hexdigest()[:16] if key else None


def sign_in(
    request: HttpRequest, *, username: str, password: str, code: str, now: datetime | None = None
) -> User:
    """Open a session for the person; raises proofs.SignatureRefused, recorded already."""
    now, address = now or timezone.now(), address_of(request)
    user = User.objects.filter(username=username.strip().casefold()).first()
    if user is None:
        raise proofs.refusal_of_unknown(
            username.strip(), password=password, address=address, now=now
        )
    proof = proofs.prove(
        user, password=password, code=code, purpose=proofs.LOGIN, address=address, now=now
    )
    sweep(now=now)
    user.refresh_from_db()
    try:
        _open(request, user, address, now, proof.leaf)
    except BaseException:  # no session without its record: the response must not save one
        request.session, request.user = SessionStore(), AnonymousUser()
        raise
    return user


@transaction.atomic
def _open(
    request: HttpRequest, user: User, address: str | None, now: datetime, proof: bytes
) -> None:
    auth.login(request, user, backend=BACKEND)
    data = request.session
    data[OPENED] = data[SEEN] = now.timestamp()
    data[ADDRESS] = address
    data.save()
    with actors.acting(user, session=short(data.session_key), address=address):
        _append("opened", user, data.session_key, now, parents=[proof])


def sign_out(request: HttpRequest) -> None:
    """Close the request's session at the person's wish."""
    _end(request, "closed", "signed out", timezone.now())


def end_over(session: Any, *, now: datetime) -> str | None:
    """Return why a session is over at ``now``: ``idle`` or ``absolute``; None when it is not."""
    opened, seen = moment(session.get(OPENED)), moment(session.get(SEEN))
    if opened is None or seen is None:
        return "absolute"
    if now >= opened + absolute_limit():
        return "absolute"
    return "idle" if now >= seen + idle_limit() else None


def expire(request: HttpRequest, cause: str, *, now: datetime) -> None:
    """End the request's session because its time is over, and record it."""
    _end(request, "expired", cause, now)


@transaction.atomic
def _end(request: HttpRequest, what: str, cause: str, now: datetime) -> None:
    user, key = request.user, request.session.session_key
    auth.logout(request)
    if isinstance(user, User):
        with actors.acting(user, session=short(key), address=address_of(request)):
            _append(what, user, key, now, cause=cause)


def touch(session: Any, *, now: datetime) -> None:
    """Note a request of the person's own: the session lives on from here."""
    if now - (moment(session.get(SEEN)) or now) >= TOUCH_EVERY:
        session[SEEN] = now.timestamp()


def ends_at(session: Any) -> datetime | None:
    """Return when a session ends if its person does nothing more; None for no session."""
    opened, seen = moment(session.get(OPENED)), moment(session.get(SEEN))
    if opened is None or seen is None:
        return None
    return min(opened + absolute_limit(), seen + idle_limit())


def is_alive(key: str, *, now: datetime | None = None) -> bool:
    """Whether the session may go on: asked by streams between events, without touching it."""
    now = now or timezone.now()
    return OpenSession.objects.filter(
        session_key=key,
        user__is_active=True,
        opened_at__gt=now - absolute_limit(),
        seen_at__gt=now - idle_limit(),
    ).exists()


def open_sessions(user: User, *, now: datetime | None = None) -> list[OpenSession]:
    """Return a person's sessions that are open, newest first."""
    now = now or timezone.now()
    rows = OpenSession.objects.filter(
        user=user, opened_at__gt=now - absolute_limit(), seen_at__gt=now - idle_limit()
    )
    return list(rows.order_by("-opened_at"))


def end_all(user: User, *, cause: str, keep: str | None = None) -> int:
    """End a person's sessions, all but ``keep``; part of the act that makes it necessary."""
    rows = OpenSession.objects.filter(user=user)
    ended = [row for row in rows if row.session_key != keep]
    for row in ended:
        row.delete()
        _append("closed", user, row.session_key, timezone.now(), cause=cause)
    return len(ended)


def sweep(*, now: datetime | None = None) -> int:
    """End sessions that ran out unseen, each with its record; return how many.

    Each sign-in does it, so that no session's end waits longer than for the next person.
    """
    now, ended = now or timezone.now(), 0
    over = OpenSession.objects.filter(
        Q(opened_at__lte=now - absolute_limit()) | Q(seen_at__lte=now - idle_limit())
    )
    for row in over.select_related("user"):
        with transaction.atomic():
            deleted, _ = OpenSession.objects.filter(pk=row.pk).delete()
            if deleted and row.user is not None:
                cause = end_over(row.get_decoded(), now=now)
                _append("expired", row.user, row.session_key, now, cause=cause)
                ended += 1
    OpenSession.objects.filter(user=None, expire_date__lte=now).delete()
    return ended


def address_of(request: HttpRequest) -> str | None:
    """Return the address the connection came from; headers are no evidence of it."""
    return request.META.get("REMOTE_ADDR") or None


def _append(
    what: str,
    user: User,
    key: str | None,
    now: datetime,
    *,
    cause: str | None = None,
    parents: list[bytes] | None = None,
) -> None:
    ledger.append(
        stream=proofs.stream_of(user),
        kind=f"audit.session.{what}",
        actor=user if what == "opened" or cause == "signed out" else None,
        reason=cause,
        data={"session": short(key), "person": str(user.pk)},
        parents=parents or [],
        occurred_at=now,
    )
