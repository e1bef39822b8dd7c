"""Write the page of the injected faults from the catalogue and the newest campaign."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from validation import faults


class Command(BaseCommand):
    help = "Write docs/validation/faults.md from the fault catalogue and the newest campaign."

    def handle(self, **_: Any) -> None:
        path = settings.BASE_DIR / faults.TABLE
        path.write_text(faults.table(settings.BASE_DIR), encoding="utf-8")
        self.stdout.write(f"written to {path}")
