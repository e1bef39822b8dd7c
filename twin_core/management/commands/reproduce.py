"""Compute a decision again from its capsule."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from twin_core.insight import reproduction
from twin_core.science.versions import VersionRefused


class Command(BaseCommand):
    help = "Compute estimate, forecast and advice again from a capsule alone; no database is asked."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("capsule", type=Path, help="file written by manage.py capsule")
        parser.add_argument("--json", action="store_true", help="print the result as one JSON line")

    def handle(self, **options: Any) -> None:
        try:
            text = options["capsule"].read_bytes()
            result = reproduction.reproduce(text)
        except OSError as error:
            raise CommandError(f"{options['capsule']}: {error.strerror}") from error
        except (reproduction.CapsuleRefused, VersionRefused) as error:
            raise CommandError(f"{options['capsule']}: {error}") from error
        if options["json"]:
            self.stdout.write(json.dumps(self.told(result), sort_keys=True))
        if result.difference is not None:
            raise CommandError(f"not the same: {result.difference}")
        if not options["json"]:
            parts = ", ".join(result.parts)
            self.stdout.write(self.style.SUCCESS(f"same bytes: {result.title} ({parts})"))

    def told(self, result: reproduction.Reproduction) -> dict[str, Any]:
        difference = result.difference
        return {
            "capsule": result.digest,
            "title": result.title,
            "parts": list(result.parts),
            "same": difference is None,
            "difference": None if difference is None else str(difference),
        }
