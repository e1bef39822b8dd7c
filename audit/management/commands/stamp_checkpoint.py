"""Have the newest published checkpoint stamped by the time authority now."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from audit.outside import policy, publishing, timestamps


class Command(BaseCommand):
    help = "Have the newest published checkpoint stamped (RFC 3161), and keep the token."

    def handle(self, **options: Any) -> None:
        note = publishing.newest_note(policy.read(settings.WITNESSES_FILE))
        try:
            by = timestamps.authority()
            if by is None:
                raise CommandError("no time authority is configured: set TWIN_TIMESTAMP_URL")
            if note is None:
                raise CommandError("there is no published checkpoint yet")
            token = timestamps.stamp(note, by)
        except timestamps.StampRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{token.tree_size} records stamped {token.stamped_at:%Y-%m-%d %H:%M:%S UTC} "
            f"by {token.authority}"
        )
