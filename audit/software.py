"""Which build this is: the version and a digest over the product's own files."""

import hashlib
import tomllib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("audit", "models_registry", "twin_core", "validation", "iq_oq_pq")
SUFFIXES = {".py", ".html", ".css", ".js", ".json", ".yaml", ".csv", ".sql", ".txt", ".typ"}


def product_files() -> list[Path]:
    """Return every file that decides what the product does, in a fixed order."""
    found = [ROOT / name for name in ("manage.py", "pyproject.toml", "requirements.txt")]
    for package in PACKAGES:
        found += (
            path
            for path in (ROOT / package).rglob("*")
            if path.suffix in SUFFIXES and "__pycache__" not in path.parts
        )
    return sorted(path for path in found if path.is_file())


@cache
def build_digest() -> str:
    """Return the SHA-256 (hex) over names and contents of all product files."""
    total = hashlib.sha256()
    for path in product_files():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{content}  {path.relative_to(ROOT).as_posix()}\n".encode())
    return total.hexdigest()


@cache
def version() -> str:
    """Return the release's version as ``pyproject.toml`` states it."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]


def software() -> str:
    """Return version and build digest as they stand on each page, export and record."""
    return f"{version()}+{build_digest()[:12]}"
