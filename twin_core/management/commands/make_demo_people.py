"""Enter the people of the demonstration and print how they sign in."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from twin_core.supervisor import people


class Command(BaseCommand):
    help = "Enter the demonstration's people with secrets of chance, once, and print the secrets."

    def handle(self, **options: Any) -> None:
        try:
            everybody = people.make(settings.DATA_DIR)
        except people.DemoPeopleRefused as error:
            raise CommandError(str(error)) from error
        for line in people.table(everybody):
            self.stdout.write(line)
