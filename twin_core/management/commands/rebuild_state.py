"""Recreate every regulated row from the ledger and compare it with its table."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from tqdm import tqdm

from audit.api import state


class Command(BaseCommand):
    help = (
        "Recreate the regulated rows (people, roles, batches, model versions, ...) from the "
        "ledger alone and name each row and column of the tables that differs."
    )

    def handle(self, **options: Any) -> None:
        found = 0
        progress = tqdm(unit=" read", disable=None)
        with transaction.atomic(), progress:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                cursor.execute("SET LOCAL transaction_timeout = 0")  # it reads the whole ledger
            for difference in state.differences(progress.update):
                found += 1
                self.stdout.write(str(difference))
        tables = len(state.regulated_models())
        if found:
            raise CommandError(f"{found} differences between {tables} tables and the ledger")
        self.stdout.write(self.style.SUCCESS(f"{tables} tables are what the ledger says"))
