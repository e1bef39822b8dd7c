"""Erase a person's personal text, or erase again what a restored backup brought back."""

import getpass
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import canonical, erasures, proofs, refusals, signatures, verifier
from audit.actors import os_user_actor
from audit.models import User
from audit.refusals import Refused


class Command(BaseCommand):
    help = (
        "Destroy the key of a person's personal text, signed by a system administrator with "
        "password and one-time code. With --reapply: do again, after a restore, the erasures that "
        "are on record, here or in a bundle that was exported later than the backup."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", nargs="?", help="whose text")
        parser.add_argument("--as", dest="person", help="the system administrator who signs")
        parser.add_argument("--reason", required=True, help="why, as the record shall say it")
        parser.add_argument("--reapply", action="store_true", help="erase again after a restore")
        parser.add_argument("--bundle", type=Path, help="with --reapply: an exported bundle")

    def handle(self, **options: Any) -> None:
        if options["reapply"]:
            done = self.reapply(options["bundle"], options["reason"])
        elif options["username"] and options["person"]:
            done = self.erase(options["username"], options["person"], options["reason"])
        else:
            raise CommandError("name a person and --as ADMINISTRATOR, or give --reapply")
        self.stdout.write(self.style.SUCCESS(done))

    def erase(self, username: str, signer: str, reason: str) -> str:
        person, by = self.known(username), self.known(signer)
        view = erasures.view_of(person)
        self.stdout.write(f"{person.printed_name} ({person.username}): {len(view['keys'])} keys go")
        try:
            proof = proofs.prove(
                by, password=getpass.getpass("Password: "), code=getpass.getpass("One-time code: ")
            )
            erasures.erase(
                person, by=by, proof=proof, reason=reason, shown=signatures.view_digest(view)
            )
        except Refused as refusal:
            refusals.record(refusal, actor=by, where="erase_personal")
            raise CommandError(f"{refusal.reason}. {refusal.what_to_do}") from refusal
        return f"the personal text of {person.printed_name} is erased; it is on the record"

    def known(self, username: str) -> User:
        person = User.objects.filter(username=username).first()
        if person is None:
            raise CommandError(f"nobody has the user name {username}")
        return person

    def reapply(self, bundle: Path | None, reason: str) -> str:
        told = erasures.erasures() if bundle is None else told_in(bundle)
        done = erasures.reapply(told, by=os_user_actor(), reason=reason)
        return f"{len(told)} erasures on record, {len(done)} had come back and are done again"


def told_in(bundle: Path) -> list[dict[str, Any]]:
    """Return the erasures of a bundle that the verifier finds sound."""
    checked = subprocess.run(
        [sys.executable, verifier.__file__, str(bundle)],
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode:
        raise CommandError(f"{bundle} does not verify: {checked.stdout.strip()[-300:]}")
    with (bundle / "records.jsonl").open("rb") as lines:
        told = [canonical.decode(line.rstrip(b"\n")) for line in lines]
    return [one for one in told if one["kind"] == erasures.KIND]
