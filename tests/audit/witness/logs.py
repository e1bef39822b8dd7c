"""A log in memory for a witness to look at: any history, signed by any key."""

from collections.abc import Sequence

from audit import checkpoint, merkle
from audit.witness.folder import Folder
from audit.witness.protocol import compose
from tests.audit.made_ledger import key_of

ORIGIN = "ledger.example/site-1"
KEY = key_of("the ledger's key")
PUBLIC = checkpoint.public_key(ORIGIN, KEY)
WITNESS = "witness.example/partner"


def leaves_of(history: str, size: int) -> list[bytes]:
    return [merkle.leaf_hash(f"{history} {i}".encode()) for i in range(size)]


def note_of(leaves: Sequence[bytes], *, origin: str = ORIGIN, name: str = ORIGIN, key=KEY) -> str:
    stated = checkpoint.Checkpoint(
        origin, len(leaves), merkle.root(leaves), max(len(leaves) - 1, 0), "ab" * 32
    )
    return checkpoint.sign(stated, name=name, key=key)


def request(old: int, leaves: Sequence[bytes], **named) -> bytes:
    """An add-checkpoint request that goes on from ``old`` with the proof of these leaves."""
    proof = (
        merkle.consistency_proof(old, len(leaves), merkle.fetch_from_leaves(leaves))
        if 0 < old < len(leaves)
        else []
    )
    return compose(old, proof, note_of(leaves, **named)).encode()


def made(path) -> Folder:
    """A witness's folder that accepts this log."""
    folder = Folder.make(path, WITNESS)
    folder.accept(ORIGIN, str(PUBLIC))
    return folder
