"""People for tests: entered by the same acts as real ones, with known components."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.contrib.auth.hashers import Argon2PasswordHasher

from audit import identity, signatures
from audit.actors import os_user_actor
from audit.credentials import code_now
from audit.models import User
from audit.signatures import SigningProof

# Tests that enter many people are not about the price of a guess: a hash costs 1 MiB here.
Argon2PasswordHasher.memory_cost, Argon2PasswordHasher.time_cost = 1024, 1

NOON = datetime(2026, 3, 2, 12, 0, 10, tzinfo=UTC)
STEP = timedelta(seconds=30)
PASSWORD = "quiet harbour at dusk"


@dataclass
class Person:
    """A person with what they know and hold."""

    user: User
    secret: str
    password: str = PASSWORD

    def code(self, now: datetime) -> str:
        return code_now(self.secret, now)[0]

    def prove(self, now: datetime = NOON, **options) -> SigningProof:
        options = {"password": self.password, "code": self.code(now), **options}
        return signatures.prove(self.user, now=now, **options)


def enter(username: str, *roles: str, printed_name: str | None = None) -> Person:
    """Enter a person with credentials and roles, as the set-up of an installation does."""
    by, reason = os_user_actor(), "set-up of a test"
    printed = printed_name or f"{username.title()} Example"
    user = identity.create_person(username, printed, by=by, reason=reason)
    identity.set_password(user, PASSWORD, by=by, reason=reason)
    secret = identity.enrol_code(user, by=by, reason=reason)
    for role in roles:
        identity.grant_role(user, role, by=by, reason=reason)
    return Person(user, secret)
