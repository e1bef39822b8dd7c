"""The operating system's account that services run under, and what it can reach."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Not `postgres`: our server would then own the files of the machine's own PostgreSQL.
UNPRIVILEGED = ("nobody", "daemon")


class AccountMissing(RuntimeError):
    """Running as root, and there is no unprivileged account to drop to."""


@dataclass(frozen=True)
class Account:
    """An account as numbers; ``drop`` says whether a child must change to it."""

    name: str
    uid: int
    gid: int
    drop: bool

    def popen_arguments(self) -> dict[str, Any]:
        """Return the arguments with which ``subprocess`` starts a child under this account."""
        if not self.drop:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give ``path`` (ours, just made) to the account."""
        if self.drop:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def current_user() -> str:
    """Return the name of the user we run as, or its number when it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's arbitrary uid
        return str(os.geteuid())


def service_account() -> Account:
    """Return the account for services: ourselves, or as root an existing unprivileged one."""
    if os.geteuid() != 0:
        return Account(current_user(), os.geteuid(), os.getegid(), drop=False)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, drop=True)
    raise AccountMissing(
        f"running as root needs one of the accounts {', '.join(UNPRIVILEGED)}: PostgreSQL refuses "
        "to run as root; run as an ordinary user instead"
    )


def may_enter(account: Account, mode: os.stat_result) -> bool:
    """Return whether the folder's mode lets the account pass through it."""
    if mode.st_uid == account.uid:
        return bool(mode.st_mode & stat.S_IXUSR)
    if mode.st_gid == account.gid:
        return bool(mode.st_mode & stat.S_IXGRP)
    return bool(mode.st_mode & stat.S_IXOTH)


def can_reach(account: Account, path: Path) -> bool:
    """Return whether the account can pass every folder above ``path`` (existing or not)."""
    if not account.drop:
        return True
    return all(may_enter(account, p.stat()) for p in path.absolute().parents if p.exists())


def can_run(account: Account, program: Path) -> bool:
    """Return whether the account can reach the program and has the right to run it."""
    return can_reach(account, program) and (not account.drop or may_enter(account, program.stat()))


def open_to_all(folder: Path) -> None:
    """Let every account read (and run what can be run) below ``folder``, a copy of ours."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)
