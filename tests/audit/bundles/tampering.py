"""What an attacker does to a bundle: edit its files, then make the manifest fit again."""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit import canonical, verifier

SELECTED = (2, 4, 9)  # sequences in the bundle `selection`


def lines_of(folder: Path, name: str) -> list[bytes]:
    return (folder / name).read_bytes().split(b"\n")[:-1]


def put_lines(folder: Path, name: str, lines: list[bytes]) -> None:
    (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
    remanifest(folder)


def edit_lines(folder: Path, name: str, edit: Callable[[list[bytes]], Any]) -> None:
    """Let ``edit`` change the list of lines in place."""
    lines = lines_of(folder, name)
    edit(lines)
    put_lines(folder, name, lines)


def edit_json(folder: Path, name: str, position: int, **members: Any) -> None:
    """Change members of one line and write it canonically."""
    lines = lines_of(folder, name)
    lines[position] = canonical.encode({**canonical.decode(lines[position]), **members})
    put_lines(folder, name, lines)


def edit_manifest(folder: Path, **members: Any) -> None:
    manifest = canonical.decode((folder / "manifest.json").read_bytes())
    put_manifest(folder, {**manifest, **members})


def remanifest(folder: Path) -> None:
    """List every file as it is now; the manifest is not signed, so anyone can."""
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("manifest.")
    }
    edit_manifest(folder, files=files)


def put_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    raw = canonical.encode(manifest)
    (folder / "manifest.json").write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    (folder / "manifest.sha256").write_text(f"{digest}  manifest.json\n")


def flip(path: Path, position: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(bytes(content))


def swap(first, second):
    """An edit of a list of lines."""

    def edit(lines):
        lines[first], lines[second] = lines[second], lines[first]

    return edit


def flaw(folder: Path, trust: Path | None = None) -> str:
    """The flaw that the verifier prints; fails when it finds none."""
    result = verifier.verify(folder, trust)
    assert not result.ok, "the tampering was not found"
    return str(result.text)


def with_time_of(late: str, true: str) -> str:
    """The signature line ``true`` with the eight bytes of time from ``late``."""
    head, _, content = true.rpartition(" ")
    early, later = b64decode(content), b64decode(late.rpartition(" ")[2])
    return f"{head} {b64encode(early[:4] + later[4:12] + early[12:]).decode()}"
