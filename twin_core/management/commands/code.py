"""Print the present one-time code of a person of the demonstration."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from twin_core.supervisor import people


class Command(BaseCommand):
    help = "Print a demonstration person's present one-time code and how long it is shown."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name, for instance quinn")

    def handle(self, *, user: str, **options: Any) -> None:
        everybody = people.load(settings.DATA_DIR)
        if not everybody:
            raise CommandError(
                f"{settings.DATA_DIR / people.FILE} is not there: codes are printed for the "
                "demonstration's people alone; everybody else reads them off the authenticator"
            )
        if user not in everybody:
            raise CommandError(f"{user} is none of {', '.join(sorted(everybody))}")
        code, seconds = everybody[user].code(timezone.now())
        self.stdout.write(f"{code}  (shown for {seconds:.0f} s more; each code is accepted once)")
