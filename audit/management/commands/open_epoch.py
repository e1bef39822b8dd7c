"""Open an epoch after a restore, signed by two persons."""

import getpass
import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from audit import canonical, chain, signatures
from audit.models import User
from audit.outside import Outside, fencing
from audit.proofs import SigningProof
from audit.recovery import epochs
from audit.refusals import Refused


def check_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        if cursor.fetchone()[0] != "twin_recovery":
            raise CommandError(
                "set TWIN_DATABASE_ADMIN_URL: an epoch is opened over the administrator's address"
            )


class Command(BaseCommand):
    help = (
        "Show what a restore has lost, and let two persons sign that the ledger goes on: a QA "
        "approver first, then another QA person or a system administrator. Runs with the "
        "administrator's address (TWIN_DATABASE_ADMIN_URL), acting as twin_recovery."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--show", action="store_true", help="show what was lost and stop")
        parser.add_argument("--reason", help="why the ledger goes on, in the persons' words")
        parser.add_argument("--first", help="user name of the QA approver")
        parser.add_argument("--second", help="user name of the other person")
        parser.add_argument(
            "--backup", type=Path, help="restored.json that manage.py restore has left"
        )

    def handle(self, **options: Any) -> None:
        path = options["backup"] or settings.DATA_DIR / "restored.json"
        backup = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        try:
            shown = epochs.situation(
                settings.LEDGER_ORIGIN,
                Outside(settings.CHECKPOINT_DIR),
                fencing.watchers(settings.LEDGER_ORIGIN),
            )
            self.show(shown, backup)
            if not options["show"]:
                check_role()
                self.sign(shown, backup, options)
        except Refused as refusal:
            raise CommandError(f"{refusal.reason}. {refusal.what_to_do}") from refusal

    def show(self, shown: epochs.Situation, backup: dict[str, Any] | None) -> None:
        told = shown.document(backup)
        self.stdout.write(f"The ledger is closed: {shown.reason}")
        for title, head in (("Old head", told["old_head"]), ("Kept head", told["kept"])):
            block = head["block"]
            of_block = f", block {block['number']} {block['hash']}" if block else ""
            self.stdout.write(
                f"{title}: {head['origin']}, {head['tree_size']} records, root {head['root']}"
                + of_block
            )
        self.stdout.write(f"Between them: {shown.lost}.")
        self.stdout.write(
            f"It would go on as {chain.log_of(shown.origin, shown.epoch)}, on cluster "
            f"{shown.place.system_identifier}, timeline {shown.place.timeline}."
        )
        if backup is not None:
            self.stdout.write(f"Restored from: {canonical.encode(backup).decode()}")

    def sign(
        self, shown: epochs.Situation, backup: dict[str, Any] | None, options: dict[str, Any]
    ) -> None:
        reason = options["reason"] or input("Why the ledger goes on: ")
        signed_by = [
            self.prove(options["first"] or input("QA approver, user name: ")),
            self.prove(options["second"] or input("Second person, user name: ")),
        ]
        record = epochs.open_epoch(shown, signed_by=signed_by, reason=reason, backup=backup)
        self.stdout.write(
            self.style.SUCCESS(
                f"epoch {shown.epoch} is signed, record {record.pk}; the sealer opens the ledger. "
                "Tell every witness of the new log."
            )
        )

    def prove(self, username: str) -> tuple[User, SigningProof]:
        """Ask one person for both components, unseen; they are used up at once."""
        user = User.objects.filter(username=username.strip().casefold(), is_active=True).first()
        if user is None:
            raise CommandError(f"{username}: no active person has this user name")
        password = getpass.getpass(f"Password of {user.printed_name}: ")
        code = getpass.getpass("One-time code: ")
        return user, signatures.prove(user, password=password, code=code)
