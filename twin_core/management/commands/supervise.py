"""Run the whole site on this machine until stopped."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from twin_core.supervisor import demonstration
from twin_core.supervisor.folder import DataFolder
from twin_core.supervisor.roster import DEMO, ROSTER
from twin_core.supervisor.site import standing


class Command(BaseCommand):
    help = "Start the services and all processes, watch them, and stop them cleanly on Ctrl-C."
    requires_system_checks: list[str] = []  # the database is not up yet

    def add_arguments(self, parser: CommandParser) -> None:
        groups = sorted({entry.group for entry in ROSTER if entry.group} - {DEMO})
        parser.add_argument("--data", type=Path, help="data folder; default: data in the checkout")
        parser.add_argument("--port", type=int, help="the web's port; default: the last one")
        parser.add_argument(
            "--demo", action="store_true",
            help="with the demonstration's people and plants, at its pace",
        )  # fmt: skip
        parser.add_argument(
            "--with", action="append", default=[], dest="groups", choices=groups,
            help="also start an optional part",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        folder = DataFolder((options["data"] or settings.DATA_DIR).absolute())
        try:
            with standing(
                folder, port=options["port"], groups=options["groups"], say=self.say
            ) as site:
                if options["demo"] and not site.supervisor.stopping:
                    demonstration.begin(site)
                if not site.supervisor.stopping:
                    self.say(f"data folder {folder.path} (source its env file to join in)")
                    self.stdout.write(self.style.SUCCESS(f"ready: {site.address}"))
                    self.stdout.flush()
                site.supervisor.run()
                self.say("stopping")
        except (RuntimeError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.say("stopped")

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
