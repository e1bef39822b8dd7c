"""Give a person new components on the machine itself: first ones, or after a loss."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from audit import api as audit
from audit.api import User


class Command(BaseCommand):
    help = (
        "Set a person's password and one-time code secret anew; their sessions end. The person "
        "types the password here and puts the printed secret into an authenticator; nobody else "
        "should look on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", required=True, help="why, as the record shall say it")

    def handle(self, *, username: str, reason: str, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"nobody has the user name {username}: enter the person first")
        try:
            address = enrol(user, asked_password(), reason=reason)
        except audit.Refused as refusal:
            raise CommandError(f"{refusal.reason}. {refusal.what_to_do}") from refusal
        self.stdout.write(f"Put this into the authenticator, it is not shown again:\n{address}")


def asked_password() -> str:
    """Return what the person types twice; raises CommandError when it was not the same."""
    password = getpass.getpass("Password (12 characters or more): ")
    if getpass.getpass("Password again: ") != password:
        raise CommandError("the password was not the same both times; nothing was done")
    return password


@transaction.atomic
def enrol(user: User, password: str, *, reason: str) -> str:
    """Set both components as the operating system's user; return the authenticator's address."""
    by = audit.os_user_actor()
    audit.set_password(user, password, by=by, reason=reason)
    return audit.provisioning_uri(user, audit.enrol_code(user, by=by, reason=reason))
