"""Enter a person on the machine itself: how a site gets its first system administrator."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from audit import api as audit
from audit.api import Role
from twin_core.management.commands.enrol_person import asked_password, enrol


class Command(BaseCommand):
    help = (
        "Enter a person with a role. The person types the password here and puts the printed "
        "secret into an authenticator; nobody else should look on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("printed_name")
        parser.add_argument("--role", choices=Role.values, default=Role.SYSTEM_ADMINISTRATOR)
        parser.add_argument("--reason", required=True, help="why, as the record shall say it")

    def handle(self, *, username: str, printed_name: str, **options: Any) -> None:
        password = asked_password()
        try:
            address = enter(username, printed_name, password, **options)
        except audit.Refused as refusal:
            raise CommandError(f"{refusal.reason}. {refusal.what_to_do}") from refusal
        self.stdout.write(f"Put this into the authenticator, it is not shown again:\n{address}")


@transaction.atomic
def enter(
    username: str, printed_name: str, password: str, *, role: str, reason: str, **_: Any
) -> str:
    """Enter the person as the operating system's user; return the authenticator's address."""
    by = audit.os_user_actor()
    user = audit.create_person(username, printed_name, by=by, reason=reason)
    audit.grant_role(user, role, by=by, reason=reason)
    return enrol(user, password, reason=reason)
