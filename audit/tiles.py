"""The stored tree: leaves from the blocks, higher tiles from their table.

Only full tiles above level 0 are stored; an unfinished one is computed from the tiles below it.
"""

from audit import merkle
from audit.models import Block, Tile

WIDTH, HASH = merkle.TILE_WIDTH, merkle.HASH_BYTES


def restore(size: int) -> merkle.Tree:
    """Return the tree of the first ``size`` leaves, ready to grow."""
    edge = [merkle.split(leaves(size - size % WIDTH, size))]
    level, width = 1, size // WIDTH
    while width:
        edge.append(_roots(level, width - width % WIDTH, width))
        level, width = level + 1, width // WIDTH
    return merkle.Tree.restore(size, edge)


def reader(size: int) -> merkle.ReadTile:
    """Return a function (level, index) -> hashes of that tile in the tree of ``size`` leaves."""

    def read(level: int, index: int) -> bytes:
        width = size // WIDTH**level
        start, stop = index * WIDTH, min((index + 1) * WIDTH, width)
        if level == 0:
            return leaves(start, stop)
        stored = Tile.objects.filter(level=level, position=index).first()
        if stored is not None and stop - start == WIDTH:
            return bytes(stored.hashes)
        return b"".join(_roots(level, start, stop))

    return read


def leaves(start: int, stop: int) -> bytes:
    """Return the leaf hashes with start <= sequence < stop, joined."""
    if start >= stop:
        return b""
    first = Block.objects.filter(first_sequence__lte=start).order_by("-first_sequence")[:1]
    blocks = Block.objects.filter(
        first_sequence__gte=first.values("first_sequence"), first_sequence__lt=stop
    ).order_by("number")
    found, origin = bytearray(), None
    for block in blocks:
        origin = block.first_sequence if origin is None else origin
        found += bytes(block.leaves)
    skip = (start - (origin or 0)) * HASH
    return bytes(found[skip : skip + (stop - start) * HASH])


def _roots(level: int, start: int, stop: int) -> list[bytes]:
    """Return the hashes of a level from ``start`` to ``stop``: roots of the full tiles below."""
    return [merkle.root(merkle.split(tile)) for tile in _full(level - 1, start, stop)]


def _full(level: int, start: int, stop: int) -> list[bytes]:
    if level:
        rows = Tile.objects.filter(level=level, position__gte=start, position__lt=stop)
        return [bytes(h) for h in rows.order_by("position").values_list("hashes", flat=True)]
    joined = leaves(start * WIDTH, stop * WIDTH)
    return [joined[at : at + WIDTH * HASH] for at in range(0, len(joined), WIDTH * HASH)]
