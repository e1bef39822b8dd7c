"""Verify tokens of a time authority without a network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.models import Checkpoint, Token
from audit.outside import timestamps


class Command(BaseCommand):
    help = "Check RFC 3161 tokens of a bundle, or of this ledger, against root certificates."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("bundle", nargs="?", type=Path, help="folder of a bundle")
        parser.add_argument("--live", action="store_true", help="this ledger's own tokens")
        parser.add_argument("--roots", type=Path, help="PEM; default: TWIN_TIMESTAMP_ROOTS")

    def handle(self, **options: Any) -> None:
        roots_file, bundle = options["roots"] or settings.TIMESTAMP_ROOTS, options["bundle"]
        if roots_file is None:
            raise CommandError("name the authority's root certificates with --roots PEM")
        if options["live"] == (bundle is not None):
            raise CommandError("name either a bundle's folder or --live")
        try:
            roots = timestamps.read_roots(roots_file)
            tokens = of_bundle(bundle) if bundle else of_live()
            count = sum(self.check_token(*token, roots) for token in tokens)
        except (timestamps.StampRefused, OSError) as error:
            raise CommandError(str(error)) from error
        if not count:
            raise CommandError("there is no token to check")
        self.stdout.write(self.style.SUCCESS(f"{count} tokens hold"))

    def check_token(self, name: str, body: str, raw: bytes, roots: Any) -> int:
        """Check one token and say what it shows; raises StampRefused naming it. Returns 1."""
        try:
            told = timestamps.checked(raw, body, roots).tst_info
        except timestamps.StampRefused as error:
            raise timestamps.StampRefused(f"{name}: {error}") from error
        self.stdout.write(f"{name}: existed at {told.gen_time:%Y-%m-%d %H:%M:%S UTC}")
        return 1


def of_bundle(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield (name, checkpoint's text, response) of each token in a bundle."""
    for path in sorted((folder / "tokens").glob("*.tsr")):
        yield path.name, path.with_suffix(".txt").read_text(encoding="utf-8"), path.read_bytes()


def of_live() -> Iterator[tuple[str, str, bytes]]:
    """Yield the same of each stored token, over the checkpoint as the ledger has it now."""
    for token in Token.objects.order_by("id"):
        name = f"token over {token.tree_size} records"
        kept = Checkpoint.objects.filter(tree_size=token.tree_size).first()
        if kept is None or not kept.note.startswith(f"{token.body}\n"):
            raise timestamps.StampRefused(f"{name}: its text is not that of the checkpoint")
        yield name, token.body, bytes(token.response)
