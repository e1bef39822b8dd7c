"""Check an exported report: its signature, and that it shows what is recorded."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.exports.copies import checking
from audit.exports.filters import ExportRefused


class Command(BaseCommand):
    help = (
        "Check a PDF report: signed with a certificate that you trust, nothing added, its records "
        "those of the ledger (or of a bundle), its pages what the records say. Exit status 0 only "
        "when all of it holds."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--trust",
            type=Path,
            required=True,
            metavar="CERT",
            help="certificate of the document key, or of the authority above it (PEM or DER)",
        )
        parser.add_argument(
            "--bundle", type=Path, metavar="DIR", help="compare with this bundle, not the ledger"
        )

    def handle(self, **options: Any) -> None:
        try:
            document, trust = options["file"].read_bytes(), options["trust"].read_bytes()
            said = checking.check(document, trust=trust, bundle=options["bundle"])
        except (OSError, ValueError, ExportRefused) as error:
            raise CommandError(f"cannot check: {error}", returncode=3) from error
        except checking.ReportRefused as refusal:
            raise CommandError(f"FLAW {options['file']}: {refusal}", returncode=2) from refusal
        for line in said:
            self.stdout.write(line)
