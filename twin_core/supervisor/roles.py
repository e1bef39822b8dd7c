"""Roles of the database server and what each may do at most; grants on tables are migrations'."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twin_core.config.environment import database_settings

OWNER = "twin_owner"
RECOVERY = "twin_recovery"  # the act that opens an epoch; an administrator's session takes it on


class RoleAddressWrong(ValueError):
    """An address in the environment does not fit the roles; the message says how to mend it."""


@dataclass(frozen=True)
class Role:
    """A role that a process signs in with.

    ``transaction_timeout`` and ``idle_timeout`` (seconds) bound how long one open transaction
    can hold back the sealing of everybody's records.
    """

    name: str
    variable: str
    transaction_timeout: int
    idle_timeout: int


ROLES = (
    Role("twin_application", "TWIN_DATABASE_URL", 60, 30),
    Role("twin_sealer", "TWIN_SEALER_DATABASE_URL", 60, 30),
    Role("twin_gate", "TWIN_GATE_DATABASE_URL", 60, 30),
    # Reads whole ledgers; a transaction that only reads holds back no sealing.
    Role("twin_auditor", "TWIN_AUDITOR_DATABASE_URL", 0, 30),
    Role("twin_indexer", "TWIN_INDEXER_DATABASE_URL", 60, 30),
)
MLFLOW = Role("twin_mlflow", "TWIN_MLFLOW_DATABASE_URL", 60, 30)


@dataclass(frozen=True)
class Login:
    """A role with the password and the database of its address."""

    role: Role
    password: str
    database: str


def logins(environment: Mapping[str, str]) -> tuple[list[Login], Login]:
    """Return (the twin's logins, MLflow's login) from the TWIN_*_DATABASE_URL variables.

    Raises RoleAddressWrong when one is missing, names another role, has no password, or when the
    twin's roles are not given the same database.
    """
    ours = [login_of(role, environment) for role in ROLES]
    if len({login.database for login in ours}) > 1:
        names = ", ".join(role.variable for role in ROLES)
        raise RoleAddressWrong(f"{names} must all name the same database")
    mlflow = login_of(MLFLOW, environment)
    if mlflow.database == ours[0].database:
        raise RoleAddressWrong(f"{MLFLOW.variable} must name a database of its own")
    return ours, mlflow


def login_of(role: Role, environment: Mapping[str, str]) -> Login:
    if role.variable not in environment:
        raise RoleAddressWrong(
            f"{role.variable} is not set: it carries the password of {role.name}"
        )
    settings: dict[str, Any] = database_settings(role.variable, environment[role.variable])
    if settings["USER"] != role.name:
        raise RoleAddressWrong(f"{role.variable} must sign in as {role.name}")
    if not settings["PASSWORD"] or not settings["NAME"]:
        raise RoleAddressWrong(f"{role.variable} needs a password and a database name")
    return Login(role, settings["PASSWORD"], settings["NAME"])
