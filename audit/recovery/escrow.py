"""Whether escrowed keys are those that the ledger is held to."""

from pathlib import Path

from audit import checkpoint
from audit.keys import KeyRefused, public_keys, signing_key


def flaw_of_key(private: Path, *, origin: str, keys_file: Path) -> str | None:
    """Return why a signing key does not serve the ledger of the public keys, or None."""
    try:
        mine = checkpoint.public_key(origin, signing_key(private))
    except (KeyRefused, ValueError) as error:
        return f"the escrowed keys: {error}"
    if mine not in public_keys(keys_file):
        return "the escrowed signing key is not the ledger's"
    return None
