"""Inclusion proofs of many records: each tile is read once, its inner nodes computed once."""

import hashlib
from functools import lru_cache

from audit import merkle, tiles

TILE, HASH = tiles.WIDTH, tiles.HASH
AHEAD = 64  # tiles a question
KEPT = 1_024  # tiles whose nodes stay in memory, 16 KiB each

Nodes = tuple[bytes, ...]  # for each height in a tile its nodes, joined


class Prover:
    """Proofs in the tree of the first ``size`` leaves, quick for rising sequences."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._read = tiles.reader(size)
        self._leaves: dict[int, bytes] = {}  # tiles of level 0, read ahead
        self._nodes = lru_cache(maxsize=KEPT)(self._make_nodes)

    def proof(self, sequence: int) -> list[bytes]:
        """Return the hashes from the leaf up to the root (RFC 6962, 2.1.1)."""
        return merkle.inclusion_proof(sequence, self.size, self._fetch)

    def _fetch(self, height: int, index: int) -> bytes:
        level, inside = divmod(height, merkle.TILE_HEIGHT)
        number, offset = divmod(index << inside, TILE)
        joined = self._nodes(level, number)[inside]
        start = (offset >> inside) * HASH
        found = joined[start : start + HASH]
        if len(found) != HASH:
            raise ValueError(f"tile {number} of level {level} is too short for this proof")
        return found

    def _make_nodes(self, level: int, number: int) -> Nodes:
        nodes = [self._tile(level, number)]
        for _ in range(merkle.TILE_HEIGHT):
            nodes.append(_parents(nodes[-1]))
        return tuple(nodes)

    def _tile(self, level: int, number: int) -> bytes:
        if level:
            return self._read(level, number)
        if number not in self._leaves:
            joined = tiles.leaves(number * TILE, min((number + AHEAD) * TILE, self.size))
            found = [joined[at : at + TILE * HASH] for at in range(0, len(joined), TILE * HASH)]
            self._leaves = dict(enumerate(found, number))
        return self._leaves[number]


def _parents(hashes: bytes) -> bytes:
    whole = len(hashes) // (2 * HASH) * 2 * HASH
    return b"".join(
        hashlib.sha256(b"\x01" + hashes[at : at + 2 * HASH]).digest()
        for at in range(0, whole, 2 * HASH)
    )
