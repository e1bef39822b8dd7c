"""Make roles, databases and event triggers, and migrate."""

import os
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError

from twin_core.supervisor import database
from twin_core.supervisor.roles import RoleAddressWrong

ADMIN = "TWIN_DATABASE_ADMIN_URL"


class Command(BaseCommand):
    help = (
        "Make the roles, databases and event triggers on the server that TWIN_DATABASE_ADMIN_URL "
        "names (a superuser's address, for this command alone), and migrate. Safe to repeat."
    )
    requires_system_checks: list[str] = []  # they would ask a database that is not there yet

    def handle(self, *args: Any, **options: Any) -> None:
        if ADMIN not in os.environ:
            raise CommandError(
                f"{ADMIN} is not set; give a superuser's address, such as "
                "postgresql://postgres:PASSWORD@db.example:5432/postgres"
            )
        try:
            done = database.initialise(
                os.environ[ADMIN], os.environ, verbosity=options["verbosity"]
            )
            database.record_guards(os.environ[ADMIN], os.environ, verbosity=options["verbosity"])
        except (RoleAddressWrong, database.DatabaseRefused, psycopg.OperationalError) as error:
            raise CommandError(str(error).strip()) from error
        self.stdout.write(self.style.SUCCESS(done))
