"""Turn the ledger's key, by two persons."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import refusals, signatures
from audit.models import User
from audit.outside import sealing, turning
from audit.proofs import SigningProof
from audit.refusals import Refused


class Command(BaseCommand):
    help = (
        "Replace the key that signs checkpoints. A system administrator and a QA approver sign; "
        "the sealer then signs one checkpoint with both keys and goes on with the next one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--administrator", required=True, help="user name, signs first")
        parser.add_argument("--approver", required=True, help="user name of the QA approver")
        parser.add_argument("--reason", required=True, help="why, for the record")
        parser.add_argument(
            "--old-key",
            choices=[turning.DESTROY, turning.ARCHIVE],
            default=turning.DESTROY,
            help="what becomes of the former private key (default: %(default)s)",
        )
        parser.add_argument("--lost", action="store_true", help="the former key's file is gone")

    def handle(self, **options: Any) -> None:
        place = sealing.key_place()
        users = [person(options[who]) for who in ("administrator", "approver")]
        try:
            signers = [(user, self.prove(user)) for user in users]
            following = turning.rotate(
                place,
                signers=signers,
                reason=options["reason"],
                old_key=options["old_key"],
                is_lost=options["lost"],
            )
        except Refused as refusal:
            refusals.record(refusal, where="rotate_ledger_key")
            raise CommandError(f"{refusal.reason}. {refusal.what_to_do}") from refusal
        self.stdout.write(f"next key: {following}")
        self.stdout.write(
            "Give it to everybody who trusts this ledger, and to each witness:\n"
            f"  python -m audit.witness --folder DIR accept-log {place.origin} {following}"
        )

    def prove(self, user: User) -> SigningProof:
        """Ask one person for both components."""
        self.stdout.write(f"{user.printed_name} signs.")
        password = getpass.getpass("Password: ")
        code = getpass.getpass("One-time code: ")
        return signatures.prove(user, password=password, code=code)


def person(username: str) -> User:
    """Return a person by user name, before anybody is asked for anything."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"nobody has the user name {username}")
    return user
