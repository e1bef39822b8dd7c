"""Make a base backup of the database cluster and the files it points at."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from audit import api as audit
from audit.recovery.sealed_files import BackupBad
from twin_core.config.processes import ADMIN
from twin_core.supervisor.backup import base_backup
from twin_core.supervisor.backup.store import Store


class Command(BaseCommand):
    help = (
        "Back up the database cluster while it runs, and the files it points at, encrypted. Uses "
        "the administrator's address (TWIN_DATABASE_ADMIN_URL; the embedded server's by itself)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, default=settings.BACKUP_DIR, help="backup folder")
        parser.add_argument(
            "--recipient", default=settings.BACKUP_RECIPIENT, help="age1..., see backup_key"
        )
        parser.add_argument("--keys-to", type=Path, help="also escrow the keys, into this new file")
        parser.add_argument("--keys-recipient", help="of the escrow; default: --recipient")

    def handle(self, **options: Any) -> None:
        if options["to"] is None or not options["recipient"] or ADMIN not in os.environ:
            raise CommandError(
                f"give --to and --recipient (TWIN_BACKUP_DIR, TWIN_BACKUP_RECIPIENT) and {ADMIN}"
            )
        try:
            made = self.back_up(options)
            if options["keys_to"]:
                to = options["keys_recipient"] or options["recipient"]
                base_backup.escrow_keys(settings.DATA_DIR, options["keys_to"], to)
        except BackupBad as error:
            raise CommandError(str(error)) from error
        self.stdout.write(self.style.SUCCESS(f"{made.folder}: manifest SHA-256 {made.digest}"))
        if options["keys_to"]:
            self.stdout.write(f"keys in {options['keys_to']}: keep them away from the backup")

    def back_up(self, options: dict[str, Any]) -> base_backup.Made:
        admin_url = os.environ[ADMIN]
        with tqdm(
            total=base_backup.cluster_size(admin_url), unit="B", unit_scale=True, disable=None
        ) as bar:
            made = base_backup.back_up(
                Store(options["to"]),
                admin_url=admin_url,
                twin=settings.DATABASES["default"]["NAME"],
                data=settings.DATA_DIR,
                recipient=options["recipient"],
                seen=bar.update,
            )
        audit.append_alone(
            stream="backup",
            kind="audit.backup.made",
            actor=audit.os_user_actor(),
            data={
                "backup": made.folder.name,
                "manifest": made.digest,
                "tree_size": made.manifest["tree_size"],
                "keys_escrowed": options["keys_to"] is not None,
            },
        )
        return made
