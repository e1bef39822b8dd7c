"""What a person proves themselves with: a password and a one-time code (RFC 6238).

Passwords are kept as Argon2 hashes, code secrets encrypted (AES-256-GCM) under the key of a file
outside the database. Each change of either is a recorded act.
"""

import base64
import hmac
import os
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.contrib.auth import hashers, password_validation
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.crypto import salted_hmac

from audit import keys, ledger
from audit.models import Credential, User
from audit.refusals import NotEntitled, Refused
from audit.regulated import RegulatedModel

STREAM = "people"
STEP = 30  # seconds a code is shown
WINDOW = 1  # steps before and after the present one that are accepted: the two clocks differ
LONGEST_PASSWORD = 200  # characters; hashing is slow on purpose
NONCE = 12  # bytes
_VERSION = "v1."


class PasswordRefused(Refused):
    """The new password is too short, common, or like the person's name."""

    act = "audit.credential.set"
    what_to_do = "Choose another: at least 12 characters, not a common one, unlike your name."


def set_password(
    user: User, password: str, *, by: Any, reason: str, keep: str | None = None
) -> Credential:
    """Give a person a new password; sessions end, all but the one whose key is ``keep``.

    ``by`` is the person, or a process or operating system user that sets the installation up: an
    administrator never knows another person's password. Raises PasswordRefused, NotEntitled.
    """
    _require_own(user, by)
    secret = hashers.make_password(_checked(password, user))
    fresh = Credential(user=user, kind=Credential.Kind.PASSWORD, secret=secret)
    return _replace(user, fresh, by=by, reason=reason, keep=keep)


def enrol_code(user: User, *, by: Any, reason: str, secret: str | None = None) -> str:
    """Give a person a new one-time code secret and return it (base32) to be shown once."""
    _require_own(user, by)
    secret = secret or pyotp.random_base32()
    fresh = Credential(user=user, kind=Credential.Kind.CODE)
    fresh.secret = seal(secret, owner=fresh)
    _replace(user, fresh, by=by, reason=reason)
    return secret


def provisioning_uri(user: User, secret: str) -> str:
    """Return the ``otpauth://`` address that authenticator applications read."""
    return pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=settings.SITE_NAME)


@transaction.atomic
def _replace(
    user: User, fresh: Credential, *, by: Any, reason: str, keep: str | None = None
) -> Credential:
    from audit import sessions

    lock(user)
    before = active(user, fresh.kind)
    changes: list[ledger.Change] = [(fresh, None, fresh.state_fields())]
    if before is not None:
        old = before.state_fields()
        before.is_active = False
        changes.insert(0, (before, old, before.state_fields()))
    record = ledger.append(
        stream=STREAM,
        kind="audit.credential.set",
        actor=by,
        changes=changes,
        reason=reason,
        data={"person": str(user.pk), "credential": fresh.kind},
    )
    rows: list[RegulatedModel] = [before, fresh] if before is not None else [fresh]
    for row in rows:
        row.save(record=record)
    sessions.end_all(user, cause="credential changed", keep=keep)
    return fresh


def lock(user: User) -> User:
    """Let one act at a time decide about a person; returns the row as it is now."""
    return User.objects.select_for_update(no_key=True).get(pk=user.pk)


def active(user: User, kind: str) -> Credential | None:
    return Credential.objects.filter(user_id=user.pk, kind=kind, is_active=True).first()


def session_binding(user: User) -> str:
    """Return what sessions are bound to: another text after any change of a credential."""
    held = Credential.objects.filter(user_id=user.pk, is_active=True).order_by("id")
    parts = [str(user.pk), str(user.is_active), *map(str, held.values_list("id", flat=True))]
    return salted_hmac("audit.session_binding", " ".join(parts), algorithm="sha256").hexdigest()


def _require_own(user: User, by: Any) -> None:
    if isinstance(by, User) and by.pk != user.pk:
        raise NotEntitled(
            "a password or code secret is set by its owner alone",
            act="audit.credential.set",
            what_to_do="Ask the person to change it on their account page.",
        )


def normalised(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _checked(password: str, user: User) -> str:
    password = normalised(password)
    if len(password) > LONGEST_PASSWORD:
        raise PasswordRefused(f"the password is longer than {LONGEST_PASSWORD} characters")
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise PasswordRefused(" ".join(error.messages)) from None
    return password


def verify_password(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Return (whether it is right, a hash by today's rules where the stored one is outdated).

    Takes the same time when nothing is stored, so that answers do not tell names.
    """
    password = normalised(password)[:LONGEST_PASSWORD]
    if stored is None:
        hashers.make_password(password)
        return False, None
    right, outdated = hashers.verify_password(password, stored)
    return right, hashers.make_password(password) if right and outdated else None


def step_at(now: datetime) -> int:
    """Return the RFC 6238 time step of a moment."""
    return int(now.timestamp()) // STEP


def start_of(step: int) -> datetime:
    return datetime.fromtimestamp(step * STEP, UTC)


def matching_step(code: str, stored: Credential | None, now: datetime) -> int | None:
    """Return the latest time step near ``now`` whose code this is; all are always compared."""
    secret = unseal(stored) if stored is not None else pyotp.random_base32()
    generator, present = pyotp.TOTP(secret, interval=STEP), step_at(now)
    given = "".join(code.split()).encode()
    found = None
    for step in range(present - WINDOW, present + WINDOW + 1):
        if hmac.compare_digest(generator.generate_otp(step).encode(), given):
            found = step
    return found if stored is not None else None


def next_code_at(user: User, now: datetime) -> datetime:
    """Return when a code will be accepted: now, or the start of the step after the used one."""
    stored = active(user, Credential.Kind.CODE)
    if stored is None or stored.last_step is None or stored.last_step < step_at(now):
        return now
    return start_of(stored.last_step + 1)


def code_now(secret: str, now: datetime) -> tuple[str, timedelta]:
    """Return (the code of this moment, how long it is shown)."""
    until = start_of(step_at(now) + 1)
    return pyotp.TOTP(secret, interval=STEP).generate_otp(step_at(now)), until - now


def seal(secret: str, *, owner: Credential) -> str:
    """Encrypt a code secret for one credential row; moved to another row it does not open."""
    nonce = os.urandom(NONCE)
    box = AESGCM(keys.secret_key(settings.CREDENTIAL_KEY_FILE))
    sealed = box.encrypt(nonce, secret.encode(), _bound_to(owner))
    return _VERSION + base64.b64encode(nonce + sealed).decode()


def unseal(credential: Credential) -> str:
    """Return a code secret; raises KeyRefused when key and stored text do not belong together."""
    if not credential.secret.startswith(_VERSION):
        raise keys.KeyRefused(f"credential {credential.pk} is stored in an unknown form")
    data = base64.b64decode(credential.secret.removeprefix(_VERSION))
    box = AESGCM(keys.secret_key(settings.CREDENTIAL_KEY_FILE))
    try:
        return box.decrypt(data[:NONCE], data[NONCE:], _bound_to(credential)).decode()
    except InvalidTag:
        raise keys.KeyRefused(
            f"credential {credential.pk} does not open with {settings.CREDENTIAL_KEY_FILE}: "
            "restore the key that belongs to this database"
        ) from None


def _bound_to(credential: Credential) -> bytes:
    return f"{credential.pk} {credential.user_id}".encode()
