"""Personal text that can be erased although records cannot (crypto-shredding).

Records and rows hold personal text as a token, ``personal:<key id>:<base64>``: AES-256-GCM under a
key of its person. The keys stand in a table apart, each wrapped by a key outside the database.
``audit.erasures`` destroys a key.
"""

import base64
import binascii
import os
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from audit import keys
from audit.models import PersonalKey, User

PREFIX = "personal:"
ERASED = "erased"
NONCE = 12  # bytes
KEY_SIZE = 32  # bytes: AES-256


def seal(person: User, text: str) -> str:
    """Return the token of a personal text; empty text stays empty.

    The first text of a person makes their key, in the running transaction; the person's row may
    follow later in it. Raises keys.KeyRefused without the installation's key.
    """
    if not text:
        return ""
    key = _living(person) or _made(person)
    nonce = os.urandom(NONCE)
    sealed = AESGCM(_unwrapped(key)).encrypt(nonce, text.encode(), _bound_to(key))
    return f"{PREFIX}{key.pk}:{base64.b64encode(nonce + sealed).decode()}"


def sealed_anew(person: User, before: str, text: str) -> str:
    """Return ``before`` where it is the token of ``text`` already, else a new token."""
    return before if before and unseal(before) == text else seal(person, text)


def unseal(token: str) -> str | None:
    """Return the text of a token; None when it was erased. What is no token comes back as it is.

    Raises keys.KeyRefused when key and token do not belong together.
    """
    if not token.startswith(PREFIX):
        return token
    identity, data = _parts(token)
    key = PersonalKey.objects.filter(pk=identity).first()
    if key is None:
        raise keys.KeyRefused(f"personal key {identity} is not in this database")
    if key.secret is None:
        return None
    try:
        box = AESGCM(_unwrapped(key))
        return box.decrypt(data[:NONCE], data[NONCE:], _bound_to(key)).decode()
    except InvalidTag:
        raise keys.KeyRefused(f"a text does not open with its personal key {key.pk}") from None


def shown(token: str) -> str:
    """Return a personal text for display: itself, or that it was erased or cannot be opened."""
    try:
        text = unseal(token)
    except keys.KeyRefused:
        return "(cannot be opened)"
    return ERASED if text is None else text


def is_token(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(PREFIX)


def _parts(token: str) -> tuple[UUID, bytes]:
    try:
        identity, _, data = token.removeprefix(PREFIX).partition(":")
        return UUID(identity), base64.b64decode(data, validate=True)
    except (ValueError, binascii.Error):
        raise keys.KeyRefused("a personal text is stored in an unknown form") from None


def has_text(person: User) -> bool:
    """Return whether a person has a key left to destroy."""
    return _living(person) is not None


def _living(person: User) -> PersonalKey | None:
    return PersonalKey.objects.filter(person_id=person.pk, secret__isnull=False).first()


def _made(person: User) -> PersonalKey:
    key = PersonalKey(person_id=person.pk)
    nonce = os.urandom(NONCE)
    key.secret = nonce + _wrapping().encrypt(nonce, os.urandom(KEY_SIZE), _bound_to(key))
    key.save(force_insert=True)
    return key


def _unwrapped(key: PersonalKey) -> bytes:
    data = bytes(key.secret or b"")
    try:
        return _wrapping().decrypt(data[:NONCE], data[NONCE:], _bound_to(key))
    except InvalidTag:
        raise keys.KeyRefused(
            f"personal key {key.pk} does not open with {settings.PERSONAL_KEY_FILE}: "
            "restore the key that belongs to this database"
        ) from None


def _wrapping() -> AESGCM:
    return AESGCM(keys.secret_key(settings.PERSONAL_KEY_FILE))


def _bound_to(key: PersonalKey) -> bytes:
    return f"{key.pk} {key.person_id}".encode()
