"""Drop the texts of a month whose time is over."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError

from audit import actors
from audit.retention import drops, months, refusing
from audit.retention.sealing_role import as_sealer


class Command(BaseCommand):
    help = (
        "Drop the records of an archived month after their retention, approved by two persons; "
        "their keys and leaves stay, and every proof of other records with them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("month", help="like 2026-01")
        parser.add_argument("--bundle", type=Path, help="where the month's bundle lies now")

    def handle(self, **options: Any) -> None:
        actor = actors.os_user_actor()
        try:
            month = months.read(options["month"])
        except months.MonthWrong as error:
            raise CommandError(str(error)) from error
        with as_sealer():
            try:
                row = drops.drop(month, actor=actor, place=options["bundle"])
            except refusing.RetentionRefused as refusal:
                refusing.record(refusal, actor=actor)
                raise CommandError(f"not dropped: {refusal.reason}") from refusal
            except IntegrityError as error:
                self.refused_by_database(month, error, actor)
        self.stdout.write(
            f"{row.month}: {row.dropped} of {row.records} records dropped, their leaves kept"
        )

    def refused_by_database(self, month: str, error: IntegrityError, actor: Any) -> None:
        reason = str(error).split("\n")[0]
        refusing.record(refusing.RetentionRefused(month, "drop", [reason]), actor=actor)
        raise CommandError(reason) from error
