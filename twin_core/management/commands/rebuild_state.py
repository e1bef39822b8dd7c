"""Recreate every regulated row from the ledger and compare it with its table."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from tqdm import tqdm

from audit.api import state


class Command(BaseCommand):
    help = (
        "Recreate the regulated rows (people, roles, batches, model versions, ...) from the "
        "ledger alone and name each row and column of the tables that differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--archive",
            type=Path,
            action="append",
            default=[],
            help="bundle of a dropped month, so that its records tell their part; repeatable",
        )

    def handle(self, **options: Any) -> None:
        found, resting = 0, []
        progress = tqdm(unit=" read", disable=None)
        with transaction.atomic(), progress:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                cursor.execute("SET LOCAL transaction_timeout = 0")  # it reads the whole ledger
            told = state.differences(
                progress.update,
                archives=options["archive"],
                resting=lambda table, key: resting.append((table, key)),
            )
            for difference in told:
                found += 1
                self.stdout.write(str(difference))
        if resting:
            self.stdout.write(f"{len(resting)} rows rest on dropped months: give --archive")
        tables = len(state.regulated_models())
        if found:
            raise CommandError(f"{found} differences between {tables} tables and the ledger")
        self.stdout.write(self.style.SUCCESS(f"{tables} tables are what the ledger says"))
