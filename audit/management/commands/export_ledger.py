"""Export the ledger, or a selection of it, as a bundle."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from audit import actors, exports, refusals


def moment(text: str) -> datetime:
    """Return an aware time of ISO 8601; without a zone it is UTC."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else datetime.fromisoformat(f"{text}+00:00")


class Command(BaseCommand):
    help = (
        "Write a bundle that anybody can check with verifier.py alone; exporting is recorded. "
        "After an interruption the same command goes on where it stood."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--out", type=Path, required=True, help="folder that does not exist")
        parser.add_argument("--stream", default="", help="one stream, like batch/BR-201-0001")
        parser.add_argument("--kind", default="", help="a kind, or the beginning of kinds")
        parser.add_argument("--person", default="", help="id of an actor")
        parser.add_argument("--since", type=moment, help="recorded at or after (ISO 8601)")
        parser.add_argument("--until", type=moment, help="recorded before (ISO 8601)")
        parser.add_argument("--text", default="", help="anywhere in the record, in either case")
        parser.add_argument("--reason", help="why, for the record of the export")
        parser.add_argument(
            "--copies",
            nargs="*",
            default=[],
            choices=exports.FORMATS,
            help="for reading and searching, beside the hashed bytes: "
            + ", ".join(exports.FORMATS),
        )

    def handle(self, **options: Any) -> None:
        names = ("stream", "kind", "person", "since", "until", "text")
        filters = exports.Filters(**{name: options[name] for name in names})
        with tqdm(unit=" lines", disable=None) as bar:

            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            try:
                digest = exports.export(
                    options["out"],
                    filters=filters,
                    formats=tuple(options["copies"]),
                    actor=actors.os_user_actor(),
                    reason=options["reason"],
                    progress=show,
                )
            except exports.ExportRefused as refusal:
                refusals.record(refusal, actor=actors.os_user_actor(), where="export_ledger")
                raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{options['out']}: manifest SHA-256 {digest}")
        self.stdout.write(f"check it: python3 {options['out']}/verifier.py {options['out']}")
