"""The Merkle tree over all records: RFC 6962 hashes and proofs, kept in tiles of 256 hashes.

Sizes and positions count leaves; a hash is 32 bytes. ``height`` is binary (a subtree of height
h holds 2**h leaves), ``level`` counts tiles (C2SP tlog-tiles: level l stands at height 8 * l).
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache

HASH_BYTES = 32
TILE_WIDTH = 256
TILE_HEIGHT = 8
EMPTY_ROOT = hashlib.sha256(b"").digest()

Tile = tuple[int, int, bytes]  # level, index, 256 hashes
Fetch = Callable[[int, int], bytes]  # (height, index) -> hash of that complete subtree
ReadTile = Callable[[int, int], bytes]  # (level, index) -> its hashes, 256 or as many as exist


def leaf_hash(payload: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + payload).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes, in one go; ``Tree`` does the same step by step."""
    tree = Tree()
    tree.append(leaves)
    return tree.root


class Tree:
    """A tree that grows at its right edge and remembers nothing but that edge.

    ``append`` returns the tiles of level 1 and higher which it completed; level 0 is the
    concatenated leaves, which the blocks keep. ``restore`` continues from a stored edge.
    """

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[list[bytes]] = [[]]  # for each level the hashes of its unfinished tile
        self._peaks: list[bytes] = []  # roots of the complete subtrees, the largest first

    @classmethod
    def restore(cls, size: int, right_edge: Sequence[Sequence[bytes]]) -> "Tree":
        """A tree of ``size`` leaves from the hashes of the unfinished tile at each level.

        Raises ValueError when the edge does not have the length that the size asks for.
        """
        tree = cls()
        tree.size = size
        tree._edge = [list(hashes) for hashes in right_edge] or [[]]
        expected = edge_lengths(size)
        found = [len(hashes) for hashes in tree._edge]
        if found != expected:
            raise ValueError(f"a tree of {size} leaves has an edge of {expected}, not {found}")
        for hashes in reversed(tree._edge):
            tree._peaks += _peaks_of(hashes)
        return tree

    @property
    def right_edge(self) -> list[list[bytes]]:
        """What ``restore`` takes: for each level the hashes of its unfinished tile."""
        return [list(hashes) for hashes in self._edge]

    @property
    def root(self) -> bytes:
        return _fold(self._peaks)

    def append(self, leaves: Iterable[bytes]) -> list[Tile]:
        """Add leaf hashes; return the tiles of level >= 1 that became complete, in order."""
        tiles: list[Tile] = []
        for leaf in leaves:
            self._append_one(leaf, tiles)
        return tiles

    def _append_one(self, leaf: bytes, tiles: list[Tile]) -> None:
        if len(leaf) != HASH_BYTES:
            raise ValueError(f"a leaf hash has {HASH_BYTES} bytes, not {len(leaf)}")
        self._keep(0, leaf, tiles)
        subtree, height, size = leaf, 0, self.size
        while size & 1:  # a complete left neighbour of this height waits: join it
            subtree, height, size = node(self._peaks.pop(), subtree), height + 1, size >> 1
            if height % TILE_HEIGHT == 0:
                self._keep(height // TILE_HEIGHT, subtree, tiles)
        self._peaks.append(subtree)
        self.size += 1

    def _keep(self, level: int, subtree: bytes, tiles: list[Tile]) -> None:
        """Put a hash into the unfinished tile of its level; hand the tile out when it is full."""
        if level == len(self._edge):
            self._edge.append([])
        unfinished = self._edge[level]
        unfinished.append(subtree)
        if len(unfinished) == TILE_WIDTH:
            if level:
                index = self.size >> (TILE_HEIGHT * (level + 1))
                tiles.append((level, index, b"".join(unfinished)))
            unfinished.clear()


def edge_lengths(size: int) -> list[int]:
    """How many hashes the unfinished tile of each level holds, level 0 first."""
    lengths = [size % TILE_WIDTH]
    while size := size // TILE_WIDTH:
        lengths.append(size % TILE_WIDTH)
    return lengths


def inclusion_proof(index: int, size: int, fetch: Fetch) -> list[bytes]:
    """RFC 6962, 2.1.1: the hashes from leaf ``index`` up to the root of the first ``size``."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size} leaves")
    proof: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _left_size(high - low)
        if index < middle:
            proof.append(_range_root(middle, high, fetch))
            high = middle
        else:
            proof.append(_range_root(low, middle, fetch))
            low = middle
    return proof[::-1]


def consistency_proof(first: int, second: int, fetch: Fetch) -> list[bytes]:
    """RFC 6962, 2.1.2: that the first ``first`` leaves are a prefix of the first ``second``."""
    if not 0 < first <= second:
        raise ValueError(f"no consistency proof leads from size {first} to size {second}")
    proof: list[bytes] = []
    low, high, starts_at_left_edge = 0, second, True
    while first != high:
        middle = low + _left_size(high - low)
        if first <= middle:
            proof.append(_range_root(middle, high, fetch))
            high = middle
        else:
            proof.append(_range_root(low, middle, fetch))
            low, starts_at_left_edge = middle, False
    if not starts_at_left_edge:
        proof.append(_range_root(low, high, fetch))
    return proof[::-1]


def verify_inclusion(
    leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """True when the proof leads from the leaf at ``index`` to the root of ``size`` leaves."""
    if not 0 <= index < size:
        return False
    position, last, subtree = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            subtree = node(sibling, subtree)
            while not position & 1 and position:  # skip the levels where this edge has no sibling
                position, last = position >> 1, last >> 1
        else:
            subtree = node(subtree, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and subtree == root


def verify_consistency(
    *, first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """True when the proof shows the tree of ``first`` leaves as a prefix of ``second``'s."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    hashes = list(proof)
    if first & (first - 1) == 0:  # a complete tree is its own first hash
        hashes.insert(0, first_root)
    if not hashes:
        return False
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node(sibling, old), node(sibling, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node(new, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def fetch_from_leaves(leaves: Sequence[bytes]) -> Fetch:
    """Subtree hashes computed from leaf hashes in memory, each once."""

    @cache
    def fetch(height: int, index: int) -> bytes:
        if height == 0:
            return leaves[index]
        return node(fetch(height - 1, 2 * index), fetch(height - 1, 2 * index + 1))

    return fetch


def fetch_from_tiles(read_tile: ReadTile) -> Fetch:
    """Subtree hashes from stored tiles; a proof reads at most two tiles a level."""
    tile = lru_cache(maxsize=64)(read_tile)

    def fetch(height: int, index: int) -> bytes:
        level, inside = divmod(height, TILE_HEIGHT)
        start = index << inside  # position of the subtree's first hash in its level
        number, offset = divmod(start, TILE_WIDTH)
        hashes = tile(level, number)[offset * HASH_BYTES : (offset + (1 << inside)) * HASH_BYTES]
        if len(hashes) != HASH_BYTES << inside:
            raise ValueError(f"tile {number} of level {level} is too short for this proof")
        return _complete_root(hashes)

    return fetch


def split(hashes: bytes) -> list[bytes]:
    """Return joined hashes one by one."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def _complete_root(hashes: bytes) -> bytes:
    """Root of a power of two of concatenated hashes."""
    while len(hashes) > HASH_BYTES:
        hashes = b"".join(
            hashlib.sha256(b"\x01" + hashes[start : start + 2 * HASH_BYTES]).digest()
            for start in range(0, len(hashes), 2 * HASH_BYTES)
        )
    return hashes


def _left_size(size: int) -> int:
    """The largest power of two below ``size``: where RFC 6962 splits a tree."""
    return 1 << ((size - 1).bit_length() - 1)


def _range_root(low: int, high: int, fetch: Fetch) -> bytes:
    """Root over leaves low to high - 1, where ``low`` is where RFC 6962 may start a subtree."""
    peaks = []
    while low < high:
        height = (high - low).bit_length() - 1
        peaks.append(fetch(height, low >> height))
        low += 1 << height
    return _fold(peaks)


def _peaks_of(hashes: Sequence[bytes]) -> list[bytes]:
    """Roots of the complete subtrees over fewer than 256 hashes, the largest first."""
    peaks, start = [], 0
    for height in reversed(range(TILE_HEIGHT)):
        if len(hashes) & (1 << height):
            peaks.append(_complete_root(b"".join(hashes[start : start + (1 << height)])))
            start += 1 << height
    return peaks


def _fold(peaks: Sequence[bytes]) -> bytes:
    """Join complete subtrees, the smallest (rightmost) first."""
    if not peaks:
        return EMPTY_ROOT
    joined = peaks[-1]
    for peak in reversed(peaks[:-1]):
        joined = node(peak, joined)
    return joined
