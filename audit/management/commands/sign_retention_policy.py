"""Put a retention policy in force by an electronic signature."""

import getpass
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import refusals, signatures
from audit.models import User
from audit.retention import policies, policy


class Command(BaseCommand):
    help = "Show what a policy file says, and put it in force by password and one-time code."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--as", dest="person", required=True, help="user name of the signer")
        parser.add_argument("--reason", required=True)

    def handle(self, **options: Any) -> None:
        signer = User.objects.filter(username=options["person"], is_active=True).first()
        if signer is None:
            raise CommandError(f"--as {options['person']}: no active person has this user name")
        try:
            content = options["file"].read_bytes()
            document = policies.view(content)
        except (OSError, policy.PolicyInvalid) as error:
            raise CommandError(f"{options['file']}: {error}") from error
        self.stdout.write(json.dumps(document, indent=1, ensure_ascii=False))
        try:
            self.sign(content, document, signer, options["reason"])
        except refusals.Refused as refusal:
            refusals.record(refusal, actor=signer)
            raise CommandError(f"{refusal.reason}. {refusal.what_to_do}") from refusal
        self.stdout.write(f"in force: {document['digest']}")

    def sign(self, content: bytes, document: dict[str, Any], signer: User, reason: str) -> None:
        password = getpass.getpass(f"Password of {signer.printed_name}: ")
        code = getpass.getpass("One-time code: ")
        proof = signatures.prove(signer, password=password, code=code)
        policies.put_in_force(
            content,
            signer=signer,
            proof=proof,
            reason=reason,
            shown=signatures.view_digest(document),
        )
