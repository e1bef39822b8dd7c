"""Blocks: the header, its digests, and the checks that successive blocks hold together.

Format: docs/design/records.md. Hashes are lower-case hex text here, as in the header's JSON.
A check returns the first ``Finding`` or None; it never raises on data that was tampered with.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from audit import canonical, merkle

MAX_PAYLOAD_BYTES = 32_768
GENESIS = "0" * 64  # ``previous`` of block 0
FORK_KIND = "audit.ledger.forked"  # kind of the one record that opens an epoch after the first
EPOCH = "/epoch/"  # between an origin and an epoch's number in the name of its log
_FORK_MARK = f'"kind":"{FORK_KIND}"'.encode()
_INTEGERS = {"v", "epoch", "timeline", "number", "first_sequence", "count", "tree_size"}


class Finding(NamedTuple):
    """One flaw: ``place`` names block or record, ``what`` the rule it breaks."""

    place: str
    what: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What the database adds to a payload: the facts of its index line."""

    id: UUID
    leaf: bytes
    recorded_at: datetime
    sequence: int
    transaction: int

    @property
    def line(self) -> bytes:
        """The index line, without its newline."""
        return (
            f'{{"id":"{self.id}","leaf":"{self.leaf.hex()}",'
            f'"recorded_at":"{canonical.timestamp(self.recorded_at)}",'
            f'"sequence":{self.sequence},"transaction":"{self.transaction}"}}'
        ).encode()


@dataclass(frozen=True, slots=True)
class Header:
    """Header of one block, member by member as records.md lists them."""

    origin: str
    epoch: int
    system_identifier: str
    timeline: int
    number: int
    first_sequence: int
    count: int
    transaction_from: int
    transaction_below: int
    records_digest: str
    index_digest: str
    previous: str
    tree_size: int
    root: str
    sealed_at: datetime
    v: int = 1

    def encode(self) -> bytes:
        """The canonical bytes that are hashed and stored."""
        return canonical.encode(
            {
                **{field.name: getattr(self, field.name) for field in fields(self)},
                "transaction_from": str(self.transaction_from),
                "transaction_below": str(self.transaction_below),
            }
        )

    @classmethod
    def decode(cls, text: bytes) -> "Header":
        """Read stored bytes; raises canonical.NotCanonical for another spelling or members."""
        members = canonical.decode(text)
        if not isinstance(members, dict) or set(members) != {field.name for field in fields(cls)}:
            raise canonical.NotCanonical("does not have the members of a block header")
        try:
            header = cls(**_typed(members))
        except (TypeError, ValueError) as error:
            raise canonical.NotCanonical(f"not a block header: {error}") from error
        if header.encode() != text:
            raise canonical.NotCanonical("not a block header: a member has another form")
        return header

    @property
    def hash(self) -> str:
        return header_hash(self.encode())

    @property
    def end(self) -> int:
        """The sequence after its last record."""
        return self.first_sequence + self.count

    @property
    def place(self) -> str:
        return f"block {self.number}"

    @property
    def log(self) -> str:
        """The first line of this block's checkpoints: each epoch is a log of its own."""
        return log_of(self.origin, self.epoch)

    def opens_epoch(self, after: "Header | None") -> bool:
        """True where this block, which follows ``after``, is the first of an epoch above 0."""
        return after is not None and self.epoch == after.epoch + 1


def log_of(origin: str, epoch: int) -> str:
    """Return the name of an epoch as a log (first line of its checkpoints): the ledger's in 0."""
    return f"{origin}{EPOCH}{epoch}" if epoch else origin


def epoch_of(log: str) -> tuple[str, int]:
    """Return (origin, epoch) of a log's name; any other text is an origin, in epoch 0."""
    origin, _, number = log.rpartition(EPOCH)
    if number.isdecimal() and log == log_of(origin, int(number)):
        return origin, int(number)
    return log, 0


READERS: dict[int, Callable[[bytes], Header]] = {1: Header.decode}  # by format version, for ever


def read_header(text: bytes) -> Header:
    """Read a header by the reader of its own version; raises canonical.NotCanonical."""
    members = canonical.decode(text)
    version = members.get("v") if isinstance(members, dict) else None
    reader = READERS.get(version) if type(version) is int else None
    if reader is None:
        raise canonical.NotCanonical(
            f"format version {version!r} is not known here: verify it with a newer release"
        )
    return reader(text)


def header_hash(header: bytes) -> str:
    return hashlib.sha256(b"\x02" + header).hexdigest()


def records_digest(payloads: Iterable[bytes]) -> str:
    return _digest_of_lines(payloads)


def index_digest(lines: Iterable[bytes]) -> str:
    return _digest_of_lines(lines)


def index_line(
    *, id: UUID, leaf: bytes, recorded_at: datetime, sequence: int, transaction: int
) -> bytes:
    return Entry(id, leaf, recorded_at, sequence, transaction).line


def first_flaw(header: Header, *, after: Header | None) -> Finding | None:
    """Check a header against the one before it; ``after`` is None for block 0."""
    for what in _broken_rules(header, after):
        return Finding(header.place, what)
    return None


def first_flaw_in_records(
    header: Header,
    payloads: Sequence[bytes | None],
    entries: Sequence[Entry],
    sealed_leaves: bytes | None = None,
    *,
    opens_epoch: bool = False,
) -> Finding | None:
    """Check the records of a block against its header, naming the exact record where it can.

    A payload is None where the record was dropped after its time and only its line is kept.

    ``sealed_leaves`` are the leaves that the block kept when it was sealed (level 0 of the
    tree): with them a changed, missing or moved record is named even where payload and index
    were changed alike.
    """
    return (
        _flaw_against_sealed(header, entries, sealed_leaves)
        or _flaw_of_count(header, payloads, entries)
        or _flaw_of_entries(header, payloads, entries)
        or _flaw_of_digests(header, payloads, entries)
        or _flaw_of_forks(header, payloads, opens_epoch)
    )


def flaw_of_tree(header: Header, tree: merkle.Tree) -> Finding | None:
    """Check size and root of a header against the tree grown by all leaves up to this block."""
    if header.tree_size != tree.size:
        return Finding(header.place, f"tree_size is {header.tree_size}, the leaves are {tree.size}")
    if header.root != tree.root.hex():
        return Finding(header.place, "root is not the root of the leaves up to this block")
    return None


def _typed(members: dict[str, Any]) -> dict[str, Any]:
    for name, member in members.items():
        expected = int if name in _INTEGERS else str
        if type(member) is not expected:
            raise TypeError(f"{name} is not of type {expected.__name__}")
    return {
        **members,
        "transaction_from": int(members["transaction_from"]),
        "transaction_below": int(members["transaction_below"]),
        "sealed_at": datetime.fromisoformat(members["sealed_at"]),
    }


def _digest_of_lines(lines: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line)
        digest.update(b"\n")
    return digest.hexdigest()


def _broken_rules(header: Header, after: Header | None) -> Iterable[str]:
    """Every chain rule that the header breaks, in words."""
    if header.v not in READERS:
        yield f"format version {header.v} is not known here"
    if header.count < 1:
        yield "holds no record"
    if header.transaction_from >= header.transaction_below:
        yield "transaction_from is not below transaction_below"
    yield from _broken_counts(header, after)
    if after is not None:
        yield from _broken_links(header, after)
    elif header.previous != GENESIS:
        yield "previous of the first block is not 64 zeros"
    elif header.epoch != 0:
        yield f"the first block opens epoch {header.epoch}, not 0"


def _broken_counts(header: Header, after: Header | None) -> Iterable[str]:
    number, first = (after.number + 1, after.end) if after else (0, 0)
    if header.number != number:
        yield f"number {header.number} where {number} must come"
    if header.first_sequence != first:
        yield f"first_sequence {header.first_sequence} where {first} must come"
    if header.tree_size != header.end:
        yield f"tree_size {header.tree_size} where {header.end} must be"


def _broken_links(header: Header, after: Header) -> Iterable[str]:
    if header.previous != after.hash:
        yield f"previous is not the hash of block {after.number}"
    if header.origin != after.origin:
        yield f"origin changed from {after.origin!r} to {header.origin!r}"
    if header.sealed_at < after.sealed_at:
        yield f"sealed before block {after.number}"
    if header.epoch not in (after.epoch, after.epoch + 1):
        yield f"epoch {header.epoch} after epoch {after.epoch}"
    if header.epoch != after.epoch:
        return  # a new epoch may count on in another cluster; its fork record says why
    if header.transaction_from != after.transaction_below:
        yield f"its transactions do not touch those of block {after.number}"
    if (header.system_identifier, header.timeline) != (after.system_identifier, after.timeline):
        yield "the database cluster or timeline changed without a new epoch"


def _flaw_against_sealed(
    header: Header, entries: Sequence[Entry], sealed_leaves: bytes | None
) -> Finding | None:
    if sealed_leaves is None:
        return None
    sealed = [sealed_leaves[i : i + 32] for i in range(0, len(sealed_leaves), 32)]
    found = [entry.leaf for entry in entries]
    for position, leaf in enumerate(sealed):
        if position >= len(found) or found[position] != leaf:
            return Finding(
                _record(header, position), _difference(leaf, found, position, set(sealed))
            )
    if len(found) > len(sealed):
        return Finding(_record(header, len(sealed)), "was added after the block was sealed")
    return None


def _difference(leaf: bytes, found: list[bytes], position: int, sealed: set[bytes]) -> str:
    if leaf in found:
        return "is not at the place where it was sealed"
    if position >= len(found) or found[position] in sealed:
        return "is missing"
    return "was changed after it was sealed"


def _flaw_of_count(
    header: Header, payloads: Sequence[bytes | None], entries: Sequence[Entry]
) -> Finding | None:
    if len(entries) != header.count:
        return Finding(header.place, f"has {len(entries)} index entries, not {header.count}")
    if len(payloads) != header.count:
        return Finding(header.place, f"has {len(payloads)} records, not {header.count}")
    return None


def _flaw_of_entries(
    header: Header, payloads: Sequence[bytes | None], entries: Sequence[Entry]
) -> Finding | None:
    before: tuple[int, str] | None = None
    for position, (payload, entry) in enumerate(zip(payloads, entries, strict=True)):
        place = _record(header, position)
        if payload is not None and merkle.leaf_hash(payload) != entry.leaf:
            return Finding(place, "payload does not match its leaf")
        if entry.sequence != header.first_sequence + position:
            return Finding(place, f"is numbered {entry.sequence}")
        if not header.transaction_from <= entry.transaction < header.transaction_below:
            return Finding(place, f"transaction {entry.transaction} is outside the block's range")
        order = (entry.transaction, str(entry.id))
        if before is not None and order <= before:
            return Finding(place, "is not in the order of (transaction, id)")
        before = order
    return None


def _flaw_of_digests(
    header: Header, payloads: Sequence[bytes | None], entries: Sequence[Entry]
) -> Finding | None:
    place = f"{header.place} (sequences {header.first_sequence} to {header.end - 1})"
    if index_digest(entry.line for entry in entries) != header.index_digest:
        return Finding(place, "index_digest does not fit the index lines")
    shown = [payload for payload in payloads if payload is not None]
    if len(shown) == len(payloads) and records_digest(shown) != header.records_digest:
        return Finding(place, "records_digest does not fit the payloads")
    return None


def _flaw_of_forks(
    header: Header, payloads: Sequence[bytes | None], opens_epoch: bool
) -> Finding | None:
    forks = [place for place, payload in enumerate(payloads) if payload and is_fork(payload)]
    if opens_epoch and not forks:
        return Finding(header.place, f"opens epoch {header.epoch}, but holds no fork record")
    for position in forks[1:] if opens_epoch else forks:
        return Finding(_record(header, position), "is a fork record, but opens no epoch")
    return None


def is_fork(payload: bytes) -> bool:
    """True for the record that opens an epoch."""
    return _FORK_MARK in payload and canonical.decode(payload)["kind"] == FORK_KIND


def _record(header: Header, position: int) -> str:
    return f"{header.place}, record with sequence {header.first_sequence + position}"
