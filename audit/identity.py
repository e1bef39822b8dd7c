"""People and roles: each change is an act of a system administrator with its record."""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from audit import ledger, personal
from audit.credentials import STREAM, enrol_code, lock, session_binding, set_password
from audit.models import Record, Role, RoleGrant, User
from audit.refusals import NotEntitled, Refused

USERNAME = re.compile(r"[a-z][a-z0-9._-]{1,49}")
SHORTEST_REASON = 3  # characters


class IdentityRefused(Refused):
    """A person or role cannot be as asked."""

    act = "audit.person"
    stream = STREAM


@transaction.atomic
def create_person(
    username: str, printed_name: str, *, by: Any, reason: str, email: str = ""
) -> User:
    """Enter a person. A name once given is never given to another (21 CFR 11.100(a)).

    ``by`` is a system administrator, or a process or operating system user at set-up. Raises
    IdentityRefused, NotEntitled.
    """
    require_administrator(by)
    reason = _reason(reason)
    if not USERNAME.fullmatch(username):
        raise IdentityRefused(
            f"{username!r} is no user name",
            what_to_do="Use 2 to 50 of a-z, 0-9, dot, hyphen and underscore, a letter first.",
        )
    if User.objects.filter(username=username).exists():
        raise IdentityRefused(
            f"the user name {username} was given to a person before",
            what_to_do="Choose a name that nobody has had.",
        )
    user = User(username=username, printed_name=_printed(printed_name))
    user.email = personal.seal(user, email)
    _write("audit.person.created", user, None, by=by, reason=reason)
    return user


@transaction.atomic
def change_person(
    user: User,
    *,
    by: Any,
    reason: str,
    printed_name: str | None = None,
    email: str | None = None,
    is_active: bool | None = None,
) -> User:
    """Change a person's name or address, or whether they may use the system at all.

    Deactivation ends every session of theirs at once. Raises IdentityRefused when nothing would
    change or nobody would be left to administer, NotEntitled for oneself.
    """
    from audit import sessions

    require_administrator(by)
    _refuse_own(user, by, "change the own account")
    fresh, reason = lock(user), _reason(reason)
    old = fresh.state_fields()
    fresh.printed_name = fresh.printed_name if printed_name is None else _printed(printed_name)
    if email is not None:
        fresh.email = personal.sealed_anew(fresh, fresh.email, email)
    fresh.is_active = fresh.is_active if is_active is None else is_active
    if fresh.state_fields() == old:
        raise IdentityRefused(f"{fresh.printed_name}: nothing would change")
    if old["is_active"] and not fresh.is_active:
        _keep_an_administrator(without=fresh)
    kind = {(True, False): "deactivated", (False, True): "reactivated"}.get(
        (old["is_active"], fresh.is_active), "changed"
    )
    _write(f"audit.person.{kind}", fresh, old, by=by, reason=reason)
    if not fresh.is_active:
        sessions.end_all(fresh, cause="account deactivated")
    return fresh


@transaction.atomic
def grant_role(user: User, role: str, *, by: Any, reason: str) -> RoleGrant:
    """Give a person a role.

    Nobody grants a role to themselves, and a system administrator holds no other role: who rules
    over accounts has no rights over content. Raises IdentityRefused, NotEntitled.
    """
    require_administrator(by)
    _refuse_own(user, by, "grant a role")
    fresh, reason = lock(user), _reason(reason)
    if role not in Role.values:
        raise IdentityRefused(f"{role!r} is no role", what_to_do=f"Use one of {Role.values}.")
    if not fresh.is_active:
        raise IdentityRefused(f"{fresh.printed_name} is not active")
    _keep_administration_apart(fresh, role)
    grant = RoleGrant.objects.filter(user=fresh, role=role).first()
    if grant is not None and grant.is_active:
        raise IdentityRefused(f"{fresh.printed_name} is {Role(role).label} already")
    old = grant.state_fields() if grant is not None else None
    grant = grant or RoleGrant(user=fresh, role=role)
    grant.is_active = True
    _write("audit.role.granted", grant, old, by=by, reason=reason)
    return grant


@transaction.atomic
def revoke_role(user: User, role: str, *, by: Any, reason: str) -> RoleGrant:
    """Take a role back. Raises IdentityRefused, NotEntitled."""
    require_administrator(by)
    _refuse_own(user, by, "revoke a role")
    fresh, reason = lock(user), _reason(reason)
    grant = RoleGrant.objects.filter(user=fresh, role=role, is_active=True).first()
    if grant is None:
        raise IdentityRefused(f"{fresh.printed_name} does not hold the role {role!r}")
    if role == Role.SYSTEM_ADMINISTRATOR:
        _keep_an_administrator(without=fresh)
    old = grant.state_fields()
    grant.is_active = False
    _write("audit.role.revoked", grant, old, by=by, reason=reason)
    return grant


def require_role(user: Any, *roles: str, to: str) -> None:
    """Raise NotEntitled unless the person is active and holds one of ``roles``.

    ``to`` completes the sentence "... may not": ``to="review a recommendation"``.
    """
    held = current_roles(user)
    if not held & set(roles):
        allowed = " or ".join(Role(role).label.lower() for role in sorted(roles))
        raise NotEntitled(f"{user} may not {to}: that is for a {allowed}")


def current_roles(user: Any) -> set[str]:
    """Return the roles an active person holds now; none for anybody else."""
    if not isinstance(user, User):
        return set()
    held = RoleGrant.objects.filter(user=user, is_active=True, user__is_active=True)
    return set(held.values_list("role", flat=True))


def require_administrator(by: Any) -> None:
    """Let a system administrator through, and whoever sets the installation up on the machine."""
    if isinstance(by, User):
        require_role(by, Role.SYSTEM_ADMINISTRATOR, to="administer people")
    elif getattr(by, "kind", None) not in {"process", "os_user"}:
        raise NotEntitled("people are administered by a system administrator")


def _write(kind: str, row: Any, old: dict[str, Any] | None, *, by: Any, reason: str) -> Record:
    record = ledger.append(
        stream=STREAM,
        kind=kind,
        actor=by,
        subject=row,
        old=old,
        new=row.state_fields(),
        reason=reason,
    )
    row.save(record=record)
    return record


def _refuse_own(user: User, by: Any, what: str) -> None:
    if isinstance(by, User) and by.pk == user.pk:
        raise NotEntitled(
            f"nobody may {what} themselves",
            what_to_do="Ask another system administrator.",
            act="audit.role" if "role" in what else "audit.person",
            stream=STREAM,
        )


def _keep_administration_apart(user: User, role: str) -> None:
    held = current_roles(user) - {role}
    administers = Role.SYSTEM_ADMINISTRATOR
    if (role == administers and held) or administers in held:
        raise IdentityRefused(
            f"{user.printed_name}: a system administrator holds no other role",
            what_to_do="Revoke the other role first, or choose another person.",
            act="audit.role",
        )


def _keep_an_administrator(*, without: User) -> None:
    grants = RoleGrant.objects.select_for_update(no_key=True, of=("self",)).filter(
        role=Role.SYSTEM_ADMINISTRATOR, is_active=True, user__is_active=True
    )
    holders = {grant.user_id for grant in grants}
    if holders == {without.pk}:
        raise IdentityRefused(
            f"{without.printed_name} is the last system administrator",
            what_to_do="Make another person system administrator first.",
        )


def _reason(text: str) -> str:
    text = text.strip()
    if len(text) < SHORTEST_REASON:
        raise IdentityRefused("the reason is missing", what_to_do="Say why in a few words.")
    return text


def _printed(name: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if len(name) < 2 or not name.isprintable():
        raise IdentityRefused(
            "the printed name is missing", what_to_do="Give the full name as it shall be printed."
        )
    return name


@dataclass
class PersonThen:
    """A person as the ledger told them at some moment."""

    id: UUID
    username: str
    printed_name: str
    is_active: bool
    since: datetime  # of the last change that this tells of
    roles: set[str] = field(default_factory=set)


def people_as_of(moment: datetime | None) -> list[PersonThen]:
    """Return everybody entered before ``moment`` with the roles held then, from the ledger alone.

    None stands for now.
    """
    people: dict[str, PersonThen] = {}
    told = Record.objects.filter(stream=STREAM).order_by("id")
    if moment is not None:
        told = told.filter(recorded_at__lte=moment)
    for record in told.iterator(chunk_size=500):
        for change in ledger.content(record)["changes"]:
            _apply(change["subject"], change["new"], people, record.recorded_at)
    return sorted(people.values(), key=lambda person: person.username)


def _apply(
    subject: dict[str, str], new: dict[str, Any], people: dict[str, PersonThen], at: datetime
) -> None:
    if subject["type"] == User._meta.label_lower:
        before = people.get(subject["id"])
        people[subject["id"]] = PersonThen(
            UUID(subject["id"]),
            new["username"],
            new["printed_name"],
            new["is_active"],
            at,
            before.roles if before else set(),
        )
    elif subject["type"] == RoleGrant._meta.label_lower:
        person = people[new["user_id"]]
        person.since = at
        (person.roles.add if new["is_active"] else person.roles.discard)(new["role"])


def roles_as_of(user: User, moment: datetime) -> set[str]:
    """Return the roles a person held at ``moment``; none while not active."""
    for person in people_as_of(moment):
        if person.id == user.pk:
            return person.roles if person.is_active else set()
    return set()


def history_of(user: User, *, limit: int = 50) -> list[Record]:
    """Return the latest acts on a person's account and roles, newest first."""
    about = Q(payload__contains=f'"user_id":"{user.pk}"') | Q(payload__contains=f'"id":"{user.pk}"')
    return list(Record.objects.filter(about, stream=STREAM).order_by("-id")[:limit])


__all__ = [
    "IdentityRefused",
    "PersonThen",
    "change_person",
    "create_person",
    "current_roles",
    "enrol_code",
    "grant_role",
    "history_of",
    "people_as_of",
    "require_administrator",
    "require_role",
    "revoke_role",
    "roles_as_of",
    "session_binding",
    "set_password",
]
