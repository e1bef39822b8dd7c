"""Record the guards of the record store as they are as those that are expected."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError

from audit.actors import os_user_actor
from audit.guards import standing


class Command(BaseCommand):
    help = (
        "Record triggers, grants, functions and roles as they are now as those that are expected. "
        "init_database runs it as the owner of the tables; nobody else may."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", required=True, help="why they are as they are")

    def handle(self, *, reason: str, verbosity: int, **options: Any) -> None:
        try:
            record = standing.expect(by=os_user_actor(), reason=reason)
        except IntegrityError as error:
            raise CommandError(
                "only the owner of the tables says what is expected: run manage.py init_database"
            ) from error
        if verbosity:
            said = "are on record" if record is not None else "are as recorded before"
            self.stdout.write(self.style.SUCCESS(f"guards {said}"))
