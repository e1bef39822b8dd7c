"""Verify the live ledger: every hash recomputed, the first flaw named."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain as joined
from typing import Any

from django.conf import settings
from django.db import connection

from audit import canonical, chain, checkpoint, merkle
from audit.keys import public_keys
from audit.models import Block, Checkpoint, Tile
from audit.outside import Outside

FIND = (
    "SELECT id, payload, leaf, transaction::text, recorded_at FROM audit_record "
    "WHERE transaction >= %s::text::xid8 AND transaction < %s::text::xid8 "
    "ORDER BY audit_record.transaction, id"
)


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked, and the first flaw if there is one."""

    finding: chain.Finding | None
    blocks: int
    records: int
    unsealed: int
    root: str
    checkpoints: int

    @property
    def ok(self) -> bool:
        return self.finding is None

    def as_json(self) -> dict[str, Any]:
        place, what = self.finding or (None, None)
        return {
            "ok": self.ok,
            "place": place,
            "what": what,
            "blocks": self.blocks,
            "records": self.records,
            "unsealed": self.unsealed,
            "root": self.root,
            "checkpoints": self.checkpoints,
        }


def verify(
    *,
    keys: list[checkpoint.PublicKey],
    outside: list[str],
    progress: Callable[[int], object] = lambda blocks: None,
) -> Verification:
    """Recompute the chain and the tree of the live ledger and compare every checkpoint.

    ``keys`` are the public keys that are trusted, ``outside`` the checkpoints kept outside the
    database. Stops at the first flaw.
    """
    walk = Walk(keys=keys, outside=outside)
    finding = walk.run(progress)
    return Verification(
        finding=finding,
        blocks=walk.blocks,
        records=walk.tree.size,
        unsealed=0 if finding else walk.unsealed,
        root=walk.tree.root.hex(),
        checkpoints=walk.compared,
    )


def verify_installation() -> Verification:
    """Verify this installation's ledger with its public keys and its outside checkpoints."""
    return verify(
        keys=public_keys(settings.LEDGER_PUBLIC_KEY_FILE),
        outside=Outside(settings.CHECKPOINT_DIR).all(),
    )


class Walk:
    """One pass over the blocks; holds the tree and the checkpoints still to be compared."""

    def __init__(self, *, keys: list[checkpoint.PublicKey], outside: list[str]) -> None:
        self.keys, self.outside = keys, outside
        self.tree = merkle.Tree()
        self.header: chain.Header | None = None
        self.blocks = self.compared = self.unsealed = 0
        self.expected: dict[int, list[checkpoint.Checkpoint]] = {}

    def run(self, progress: Callable[[int], object]) -> chain.Finding | None:
        if finding := self._read_checkpoints():
            return finding
        for block in Block.objects.order_by("number").iterator(chunk_size=200):
            if finding := self._block(block):
                return finding
            self.blocks += 1
            progress(self.blocks)
        return self._end()

    def _read_checkpoints(self) -> chain.Finding | None:
        stored = Checkpoint.objects.order_by("tree_size").values_list("note", flat=True)
        for place, note in joined(
            (("checkpoint in the database", note) for note in stored),
            (("checkpoint outside the database", note) for note in self.outside),
        ):
            try:
                head = checkpoint.verify(note, self.keys)
            except checkpoint.BadCheckpoint as error:
                return chain.Finding(place, str(error))
            self.expected.setdefault(head.tree_size, []).append(head)
        return None

    def _block(self, block: Block) -> chain.Finding | None:
        try:
            header = chain.Header.decode(block.header.encode())
        except canonical.NotCanonical as error:
            return chain.Finding(f"block {block.number}", str(error))
        if finding := chain.first_flaw(header, after=self.header):
            return finding
        payloads, entries = _stored(header)
        sealed = bytes(block.leaves)
        opens = header.opens_epoch(self.header)
        if finding := chain.first_flaw_in_records(
            header, payloads, entries, sealed, opens_epoch=opens
        ):
            return finding
        tiles = self.tree.append(entry.leaf for entry in entries)
        self.header = header
        return (
            chain.flaw_of_tree(header, self.tree)
            or self._flaw_of_tiles(tiles)
            or self._flaw_of_checkpoints(header)
        )

    def _flaw_of_tiles(self, tiles: list[merkle.Tile]) -> chain.Finding | None:
        for level, position, hashes in tiles:
            stored = Tile.objects.filter(level=level, position=position).first()
            if stored is None or bytes(stored.hashes) != hashes:
                return chain.Finding(f"tile {level}/{position}", "is not that of the leaves below")
        return None

    def _flaw_of_checkpoints(self, header: chain.Header) -> chain.Finding | None:
        for head in self.expected.pop(header.tree_size, ()):
            self.compared += 1
            signed = (head.origin, head.root, head.block_number, head.block_hash)
            if signed != (header.log, self.tree.root, header.number, header.hash):
                return chain.Finding(
                    header.place, "log, root or hash is not what a signed checkpoint of it says"
                )
        return None

    def _end(self) -> chain.Finding | None:
        """Everything signed must have been met, and nothing committed may lie below the end."""
        if self.expected:
            size = max(self.expected)
            where = f"end of the ledger, after {self.tree.size} records"
            if size > self.tree.size:
                return chain.Finding(where, f"a signed checkpoint covers {size}: the tail was cut")
            return chain.Finding(f"checkpoint of {size} records", "ends inside a block")
        with connection.cursor() as cursor:
            sealed_below = self.header.transaction_below if self.header else 0
            cursor.execute(
                "SELECT count(*) FROM audit_record WHERE transaction >= %s::text::xid8",
                [str(sealed_below)],
            )
            self.unsealed = cursor.fetchone()[0]
        return None


def _stored(header: chain.Header) -> tuple[list[bytes], list[chain.Entry]]:
    payloads, entries = [], []
    for place, (identity, payload, leaf, xid, at) in enumerate(_rows(header)):
        payloads.append(payload.encode())
        entries.append(
            chain.Entry(identity, bytes(leaf), at, header.first_sequence + place, int(xid))
        )
    return payloads, entries


def _rows(header: chain.Header) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(FIND, [str(header.transaction_from), str(header.transaction_below)])
        yield from cursor.fetchall()
