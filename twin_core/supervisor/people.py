"""People of the demonstration: entered at the first start, with secrets of chance.

Their passwords and code secrets lie in ``demo-people.json`` of the data folder (mode 0600) and
nowhere else in clear. An installation that knows other people gets none of them.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import pyotp
from django.db import transaction

from audit import api as audit
from audit.api import Role, User
from twin_core.supervisor.folder import write_private

FILE = "demo-people.json"
REASON = "set-up of the demonstration"
GROUPS = 4  # of six hexadecimal digits: a password of 96 bits that can be typed


class DemoPeopleRefused(RuntimeError):
    """The people of the demonstration do not belong into this installation."""


@dataclass(frozen=True)
class DemoPerson:
    username: str
    printed_name: str
    role: Role


PEOPLE = (
    DemoPerson("priya", "Priya Raman", Role.PROCESS_ENGINEER),
    DemoPerson("quinn", "Quinn Okafor", Role.QA_REVIEWER),
    DemoPerson("rosa", "Rosa Lindqvist", Role.QA_REVIEWER),
    DemoPerson("amara", "Amara Diallo", Role.QA_APPROVER),
    DemoPerson("viktor", "Viktor Havel", Role.VALIDATION_ENGINEER),
    DemoPerson("agnes", "Agnes Moreau", Role.AUDITOR),
    DemoPerson("sam", "Sam Whitaker", Role.SYSTEM_ADMINISTRATOR),
    DemoPerson("otto", "Otto Brandt", Role.PLANT_OPERATOR),
    DemoPerson("robin", "Robin Script (scripted reviewer)", Role.QA_REVIEWER),
)


@dataclass(frozen=True)
class Secrets:
    """What one person of the demonstration knows and holds."""

    password: str
    code_secret: str

    def code(self, now: datetime) -> tuple[str, float]:
        """Return (the present one-time code, seconds for which it is shown)."""
        code, left = audit.code_now(self.code_secret, now)
        return code, left.total_seconds()


def make(folder: Path) -> dict[str, Secrets]:
    """Enter who is missing and return everybody's secrets; safe to run again.

    Raises DemoPeopleRefused where other people are known, or where one of the demonstration is
    known and the file with the secrets is gone.
    """
    known = load(folder)
    entered = set(User.objects.values_list("username", flat=True))
    if strangers := entered - {person.username for person in PEOPLE}:
        raise DemoPeopleRefused(
            f"this installation knows {len(strangers)} people of its own: the demonstration's "
            "people, whose secrets lie in a file, do not belong here; use another data folder"
        )
    if lost := entered - set(known):
        raise DemoPeopleRefused(
            f"{', '.join(sorted(lost))} are entered, but their secrets are not in "
            f"{folder / FILE}: restore the file, or start with another data folder"
        )
    everybody = {p.username: known.get(p.username) or fresh() for p in PEOPLE}
    keep(folder, everybody)  # before the rows: a person without secrets could never sign in
    for person in PEOPLE:
        if person.username not in entered:
            enter(person, everybody[person.username])
    return everybody


@transaction.atomic
def enter(person: DemoPerson, held: Secrets) -> User:
    """Enter one person with credentials and role, as the process that sets the site up."""
    by = audit.process_actor()
    user = audit.create_person(person.username, person.printed_name, by=by, reason=REASON)
    audit.set_password(user, held.password, by=by, reason=REASON)
    audit.enrol_code(user, by=by, reason=REASON, secret=held.code_secret)
    audit.grant_role(user, person.role, by=by, reason=REASON)
    return user


def fresh() -> Secrets:
    password = "-".join(secrets.token_hex(3) for _ in range(GROUPS))
    return Secrets(password, pyotp.random_base32())


def load(folder: Path) -> dict[str, Secrets]:
    """Return the stored secrets by user name; nothing where there is no demonstration."""
    path = folder / FILE
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {username: Secrets(**held) for username, held in stored.items()}


def keep(folder: Path, everybody: Mapping[str, Secrets]) -> None:
    held = {username: asdict(secret) for username, secret in everybody.items()}
    write_private(folder / FILE, json.dumps(held, indent=1) + "\n")


def table(everybody: Mapping[str, Secrets]) -> list[str]:
    """Return the lines that the first start prints."""
    lines = [f"{'user name':<10} {'password':<28} {'role':<22} name"]
    for person in PEOPLE:
        password = everybody[person.username].password
        lines.append(
            f"{person.username:<10} {password:<28} {person.role.label:<22} {person.printed_name}"
        )
    return [*lines, "One-time codes: make code USER=quinn"]
