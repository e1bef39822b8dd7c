"""Reads signing keys; never writes them."""

import base64
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from audit.checkpoint import PublicKey, parse_vkeys

SECRET_KEY_SIZE = 32  # bytes: AES-256


class KeyRefused(Exception):
    """A key file that must not be used, and what to do about it."""


def signing_key(path: Path) -> Ed25519PrivateKey:
    """Return the Ed25519 key of a PEM file that nobody but its owner can read."""
    check_private(path)
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyRefused(f"{path} holds no Ed25519 key")
    return key


def second_signing_key(path: Path) -> MLDSA44PrivateKey:
    """Return the ML-DSA-44 key of a PEM file that nobody but its owner can read."""
    check_private(path)
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, MLDSA44PrivateKey):
        raise KeyRefused(f"{path} holds no ML-DSA-44 key")
    return key


def secret_key(path: Path) -> bytes:
    """Return the 32 bytes (base64 in the file) that secrets in the database are encrypted under."""
    check_private(path)
    try:
        key = base64.b64decode(path.read_text(encoding="ascii").strip(), validate=True)
    except (UnicodeDecodeError, ValueError):
        key = b""
    if len(key) != SECRET_KEY_SIZE:
        raise KeyRefused(f"{path} holds no key of {SECRET_KEY_SIZE} bytes in base64")
    return key


def check_private(path: Path) -> None:
    """Raise KeyRefused unless the file is there and nobody but its owner can read it."""
    if not path.exists():
        raise KeyRefused(f"{path} is missing: restore it from the key backup")
    if mode := stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyRefused(f"{path} is readable by others (mode ...{mode:03o}): chmod 600 it")


def public_keys(path: Path) -> list[PublicKey]:
    """Return the trusted public keys of a file, one ``name+id+base64`` a line."""
    if not path.exists():
        raise KeyRefused(f"{path} is missing: it names the public keys that the ledger is held to")
    return parse_vkeys(path.read_text(encoding="utf-8").split("\n"))
