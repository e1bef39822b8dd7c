"""Draft a model version from its card, with its test set locked."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import api as audit
from models_registry import cards, versions
from models_registry.lifecycle import DataSet


class Command(BaseCommand):
    help = "Draft a model version from a card (JSON); everything after that is signed on its page."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="name of the version, never used again")
        parser.add_argument("--template", required=True, help="process model: cho_fed_batch")
        parser.add_argument("--asset", required=True, help="the asset it shall advise: BR-101")
        parser.add_argument("--card", required=True, type=Path, help="JSON file: see cards.read")
        parser.add_argument(
            "--test-set",
            type=Path,
            help='JSON file to lock: {"package": SHA-256, "batches": {name: SHA-256}}',
        )
        parser.add_argument("--as", dest="person", required=True, help="user name of the author")
        parser.add_argument("--reason", required=True, help="why this version is made")

    def handle(self, **options: Any) -> None:
        author = audit.User.objects.filter(username=options["person"], is_active=True).first()
        if author is None:
            raise CommandError(f"--as {options['person']}: no active person has this user name")
        try:
            version = versions.draft(
                template=options["template"],
                scope=options["asset"],
                name=options["name"],
                card=_text(options["card"]),
                test=_data_set(options["test_set"]),
                author=author,
                reason=options["reason"],
            )
        except ValueError as error:  # cards.CardRefused among them
            raise CommandError(str(error)) from error
        verdicts = len(cards.read(version.card).criteria)
        self.stdout.write(
            self.style.SUCCESS(f"{version.name} is {version.phase}, {verdicts} criteria to sign")
        )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}") from error


def _data_set(path: Path | None) -> DataSet | None:
    if path is None:
        return None
    try:
        told = json.loads(_text(path))
        return DataSet(str(told["package"]), {str(k): str(v) for k, v in told["batches"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{path} must hold package and batches: {error!r}") from error
