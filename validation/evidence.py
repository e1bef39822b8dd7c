"""What is installed here: packages against the lock and their own records, Python, platform."""

import base64
import csv
import hashlib
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tqdm import tqdm

from audit.software import ROOT, build_digest, software

LOCK = ROOT / "requirements.txt"
HASH_ALGORITHMS = {"sha256", "sha384", "sha512"}


class LockInvalid(ValueError):
    """The lock cannot be read; the message names the line."""


@dataclass(frozen=True)
class PackageState:
    """One locked package as it is found: ``flaws`` is empty when it is as locked."""

    name: str
    locked: str
    installed: str | None
    files_checked: int
    flaws: tuple[str, ...]


def locked_packages(text: str) -> dict[str, str]:
    """Return version by package name for the lines of a lock that apply to this machine."""
    found: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        line = line.split(" --hash=")[0].strip()
        if not line or line.startswith("#"):
            continue
        name, version = _pinned(line)
        if version is not None:
            found[name] = version
    return found


def compare_with_lock(lock: Path = LOCK) -> list[PackageState]:
    """Return the state of every locked package: version, and the digest of each of its files."""
    locked = locked_packages(lock.read_text(encoding="utf-8"))
    progress = tqdm(locked.items(), unit=" packages", desc="packages by hash", disable=None)
    return [package_state(name, version) for name, version in progress]


def package_state(name: str, locked: str) -> PackageState:
    """Compare one installed package with its locked version and with its own RECORD."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return PackageState(name, locked, None, 0, ("not installed",))
    flaws = [] if found.version == locked else [f"version {found.version} instead of {locked}"]
    checked, damaged = check_files(found)
    return PackageState(name, locked, found.version, checked, (*flaws, *damaged))


def check_files(found: metadata.Distribution) -> tuple[int, list[str]]:
    """Return how many files the package's RECORD gives a digest of, and which do not fit it."""
    record = found.read_text("RECORD")
    if record is None:
        return 0, ["no RECORD: installed in a way that cannot be checked"]
    checked, flaws = 0, []
    for path, digest, *_ in csv.reader(record.splitlines()):
        algorithm, _, expected = digest.partition("=")
        if algorithm not in HASH_ALGORITHMS:  # RECORD itself and compiled files carry none
            continue
        checked += 1
        if flaw := _file_flaw(Path(str(found.locate_file(path))), algorithm, expected):
            flaws.append(f"{path}: {flaw}")
    return checked, flaws


def fingerprint(states: Iterable[PackageState]) -> str:
    """Return one SHA-256 (hex) over names and RECORD digests, to compare two installations by."""
    whole = hashlib.sha256()
    for state in sorted(states, key=lambda each: each.name):
        text = metadata.distribution(state.name).read_text("RECORD") if state.installed else None
        digest = hashlib.sha256((text or "").encode()).hexdigest()
        whole.update(f"{state.name}=={state.installed} {digest}\n".encode())
    return whole.hexdigest()


def machine() -> dict[str, Any]:
    """Return what identifies build, interpreter and platform of this run, as text."""
    return {
        "software": software(),
        "build_digest": build_digest(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "architecture": platform.machine(),
        "host": platform.node(),
    }


def _pinned(line: str) -> tuple[str, str | None]:
    requirement = Requirement(line)
    versions = [each.version for each in requirement.specifier if each.operator == "=="]
    if len(versions) != 1:
        raise LockInvalid(f"{line!r} is not pinned to one version; compile the lock again")
    applies = requirement.marker is None or requirement.marker.evaluate()
    return canonicalize_name(requirement.name), versions[0] if applies else None


def _file_flaw(path: Path, algorithm: str, expected: str) -> str | None:
    try:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, algorithm).digest()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    found = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return None if found == expected else "changed since it was installed"
