"""Reads signing keys; never writes them."""

import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


class KeyRefused(Exception):
    """A key file that must not be used, and what to do about it."""


def signing_key(path: Path) -> Ed25519PrivateKey:
    """Return the Ed25519 key of a PEM file that nobody but its owner can read."""
    if not path.exists():
        raise KeyRefused(f"{path} is missing: restore it from the key backup")
    if mode := stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyRefused(f"{path} is readable by others (mode ...{mode:03o}): chmod 600 it")
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyRefused(f"{path} holds no Ed25519 key")
    return key


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()
