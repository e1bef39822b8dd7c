"""Who runs a command: a named person, or the operating system's user, marked as such."""

from typing import Any

from django.core.management.base import CommandError

from audit import api as audit


def acting_person(username: str | None) -> Any:
    """Return the person of ``--as``, or the operating system's user without it."""
    if not username:
        return audit.os_user_actor()
    person = audit.User.objects.filter(username=username, is_active=True).first()
    if person is None:
        raise CommandError(f"--as {username}: no active person has this user name")
    return person
