"""Verify the live ledger: every hash recomputed, the first flaw named."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import InternalError, connection

from audit import canonical, chain, checkpoint, merkle, quick_look
from audit.chain import FORK_KIND
from audit.keys import public_keys
from audit.models import Block, Tile
from audit.outside import Outside
from audit.outside import policy as policies
from audit.outside.policy import Policy
from audit.outside.signed import Signed
from audit.recovery.differences import is_told
from audit.recovery.forks import loss_told, losses
from audit.retention.gaps import MARKS as OF_DROPS
from audit.retention.gaps import Gaps

MARKS = (FORK_KIND.encode(), *OF_DROPS)  # in the texts that the walk has to understand
FIND = (
    "SELECT id, payload, leaf, transaction::text, recorded_at FROM audit_line "
    "WHERE transaction >= %s::text::xid8 AND transaction < %s::text::xid8 "
    "ORDER BY audit_line.transaction, id"
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
    published: int = 0  # records under the newest checkpoint that met its quorum
    witnesses: str = "no witnesses are configured"
    dropped: int = 0  # of the records, those whose text went after its time

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
            "published": self.published,
            "witnesses": self.witnesses,
            "dropped": self.dropped,
        }


def verify(
    *,
    keys: list[checkpoint.PublicKey],
    outside: list[str],
    policy: Policy | None = None,
    progress: Callable[[int], object] = lambda blocks: None,
) -> Verification:
    """Recompute the chain and the tree of the live ledger and compare every checkpoint.

    ``keys`` are the public keys that are trusted, ``outside`` the checkpoints kept outside the
    database, ``policy`` the witnesses that must have cosigned what is called published. Stops at
    the first flaw.
    """
    signed = Signed(keys=keys, outside=outside, policy=policy)
    walk = Walk(signed)
    finding = walk.run(progress)
    return Verification(
        finding=finding,
        blocks=walk.blocks,
        records=walk.tree.size,
        unsealed=0 if finding else walk.unsealed,
        root=walk.tree.root.hex(),
        checkpoints=walk.compared,
        published=signed.published,
        witnesses=signed.words,
        dropped=walk.gaps.dropped,
    )


def verify_installation() -> Verification:
    """Verify this installation's ledger with its public keys and all that is known outside."""
    return verify(
        keys=public_keys(settings.LEDGER_PUBLIC_KEY_FILE),
        outside=Outside(settings.CHECKPOINT_DIR).all(),
        policy=policies.read(settings.WITNESSES_FILE),
    )


def verify_against(keys_file: Path, outside: list[str]) -> Verification:
    """Verify a ledger that was brought back: of ``outside`` what it has grown to is compared."""
    newest = Block.objects.order_by("-number").first()
    size = newest.first_sequence + newest.count if newest else 0
    reached = [note for note in outside if checkpoint.parse(note).tree_size <= size]
    return verify(keys=public_keys(keys_file), outside=reached)


class Walk:
    """One pass over the blocks; holds the tree and the checkpoints still to be compared."""

    def __init__(self, signed: Signed) -> None:
        self.signed = signed
        self.tree = merkle.Tree()
        self.header: chain.Header | None = None
        self.blocks = self.compared = self.unsealed = 0
        self.expected: dict[tuple[str, int], list[checkpoint.Checkpoint]] = {}
        self.losses = losses()  # one a fork record: what the epoch before it lost
        self.forks = 0  # of these, met so far in the block that opens an epoch
        self.gaps = Gaps()

    def run(self, progress: Callable[[int], object]) -> chain.Finding | None:
        if finding := self.signed.first_flaw():
            return finding
        for head in self.signed.heads:
            self.expected.setdefault((head.origin, head.tree_size), []).append(head)
        blocks = Block.objects.order_by("number").iterator(chunk_size=200)
        for group in quick_look.groups(blocks):
            facts = quick_look.facts_of(group, marks=MARKS)
            for block in group:
                if finding := self._block(block, facts.get(block.number)):
                    return finding
                self.blocks += 1
                progress(self.blocks)
        return self._end()

    def _block(self, block: Block, facts: quick_look.Facts | None) -> chain.Finding | None:
        try:
            header = chain.read_header(block.header.encode())
        except canonical.NotCanonical as error:
            return chain.Finding(f"block {block.number}", str(error))
        if finding := chain.first_flaw(header, after=self.header):
            return finding
        opens = header.opens_epoch(self.header)
        is_as_sealed = facts is not None and not opens and facts.fits(header)
        if not is_as_sealed and (
            finding := self._records(header, bytes(block.leaves), opens_epoch=opens)
        ):
            return finding
        tiles = self.tree.append(merkle.split(bytes(block.leaves)))
        self.header = header
        return (
            chain.flaw_of_tree(header, self.tree)
            or self._flaw_of_tiles(tiles)
            or self._flaw_of_checkpoints(header)
        )

    def _records(
        self, header: chain.Header, sealed: bytes, *, opens_epoch: bool
    ) -> chain.Finding | None:
        """Read the records of a block one by one; the first flaw has its place."""
        try:
            payloads, entries = _stored(header)
        except InternalError as error:  # a page whose checksum does not fit, and the like
            reason = str(error).split("\n")[0]
            return chain.Finding(header.place, f"the database cannot read its records: {reason}")
        if finding := chain.first_flaw_in_records(
            header, payloads, entries, sealed, opens_epoch=opens_epoch
        ):
            return finding
        for payload, entry in zip(payloads, entries, strict=True):
            self.gaps.meet(payload, entry)
        return self._note_fork(header, [text for text in payloads if text is not None])

    def _note_fork(self, header: chain.Header, payloads: list[bytes]) -> chain.Finding | None:
        """Note what a fork record says is lost; it stands in the block that opens an epoch."""
        likely = (payload for payload in payloads if FORK_KIND.encode() in payload)
        forks = [told for told in map(canonical.decode, likely) if told["kind"] == FORK_KIND]
        opens = self.header is not None and header.epoch != self.header.epoch
        if len(forks) != int(opens):
            return chain.Finding(header.place, f"has {len(forks)} fork records, not {int(opens)}")
        if [loss_told(fork) for fork in forks] != self.losses[self.forks : self.forks + opens]:
            return chain.Finding(header.place, "its fork record is not in the order of the epochs")
        self.forks += opens
        return None

    def _flaw_of_tiles(self, tiles: list[merkle.Tile]) -> chain.Finding | None:
        for level, position, hashes in tiles:
            stored = Tile.objects.filter(level=level, position=position).first()
            if stored is None or bytes(stored.hashes) != hashes:
                return chain.Finding(f"tile {level}/{position}", "is not that of the leaves below")
        return None

    def _flaw_of_checkpoints(self, header: chain.Header) -> chain.Finding | None:
        for head in self.expected.pop((header.log, header.tree_size), ()):
            self.compared += 1
            signed = (head.origin, head.root, head.block_number, head.block_hash)
            agrees = signed == (header.log, self.tree.root, header.number, header.hash)
            if not agrees and not is_told(header.tree_size, header.epoch, self.losses):
                return chain.Finding(
                    header.place, "log, root or hash is not what a signed checkpoint of it says"
                )
        return None

    def _end(self) -> chain.Finding | None:
        """Everything signed must have been met, and nothing committed may lie below the end."""
        if missed := list(self._unmet_sizes()):
            size = max(missed)
            where = f"end of the ledger, after {self.tree.size} records"
            if size > self.tree.size:
                return chain.Finding(where, f"a signed checkpoint covers {size}: the tail was cut")
            return chain.Finding(f"checkpoint of {size} records", "ends inside a block")
        if finding := self.gaps.first_flaw():
            return finding
        with connection.cursor() as cursor:
            sealed_below = self.header.transaction_below if self.header else 0
            cursor.execute(
                "SELECT count(*) FROM audit_record WHERE transaction >= %s::text::xid8",
                [str(sealed_below)],
            )
            self.unsealed = cursor.fetchone()[0]
        return None

    def _unmet_sizes(self) -> Iterator[int]:
        """Yield the sizes of checkpoints that no block met and no fork record tells of."""
        origin = self.header.origin if self.header else ""
        epochs = {chain.log_of(origin, epoch): epoch for epoch in range(len(self.losses))}
        for log, size in self.expected:
            if not is_told(size, epochs.get(log, len(self.losses)), self.losses):
                yield size


def _stored(header: chain.Header) -> tuple[list[bytes | None], list[chain.Entry]]:
    payloads: list[bytes | None] = []
    entries: list[chain.Entry] = []
    for place, (identity, payload, leaf, xid, at) in enumerate(_rows(header)):
        payloads.append(None if payload is None else payload.encode())
        entries.append(
            chain.Entry(identity, bytes(leaf), at, header.first_sequence + place, int(xid))
        )
    return payloads, entries


def _rows(header: chain.Header) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(FIND, [str(header.transaction_from), str(header.transaction_below)])
        yield from cursor.fetchall()
