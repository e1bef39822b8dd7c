"""Verify the live ledger."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from audit import keys, verification
from audit.models import Block
from audit.outside import Outside
from audit.outside import policy as policies


class Command(BaseCommand):
    help = "Recompute every hash in the ledger and name the first record that does not fit."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
        parser.add_argument(
            "--trust", type=Path, help="file of public keys; default: the data folder's"
        )

    def handle(self, **options: Any) -> None:
        trusted = keys.public_keys(options["trust"] or settings.LEDGER_PUBLIC_KEY_FILE)
        outside = Outside(settings.CHECKPOINT_DIR).all()
        with tqdm(total=Block.objects.count(), unit=" blocks", disable=None) as bar:
            result = verification.verify(
                keys=trusted,
                outside=outside,
                policy=policies.read(settings.WITNESSES_FILE),
                progress=lambda done: bar.update(done - bar.n),
            )
        if options["json"]:
            self.stdout.write(json.dumps(result.as_json(), sort_keys=True))
        if result.finding:
            raise CommandError(f"{result.finding.place}: {result.finding.what}")
        if not options["json"]:
            self.stdout.write(self.style.SUCCESS(self.said(result)))

    def said(self, result: verification.Verification) -> str:
        gone = f"; {result.dropped} records dropped after their time, leaves kept"
        return (
            f"{result.records} records in {result.blocks} blocks verified against "
            f"{result.checkpoints} signed checkpoints; {result.unsealed} wait for the sealer"
            f"{gone if result.dropped else ''}; {result.witnesses}; root {result.root}"
        )
