"""The records of a bundle read back from its own files: what every copy is made from."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from audit import canonical

_ID, _LEAF, _TIME, _SEQUENCE = slice(7, 43), slice(53, 117), slice(134, 161), 174


class Line(NamedTuple):
    """A record as its lines tell it; ``payload`` has no newline."""

    sequence: int
    id: str
    leaf: str
    recorded_at: str
    payload: bytes
    entry: bytes  # its index line, without the newline

    def told(self) -> dict[str, Any]:
        """Return the payload as an object: it was hashed as it stands, so it is canonical."""
        return orjson.loads(self.payload)


def read(bundle: Path, *, start: int = 0, stop: int | None = None) -> Iterator[Line]:
    """Yield the records of a bundle, by their line from 0: ``start`` <= line < ``stop``."""
    with (bundle / "records.jsonl").open("rb") as records:
        joined = zip(_entries(bundle), records, strict=False)
        for (sequence, entry), payload in islice(joined, start, stop):
            yield _line(sequence, entry, payload[:-1])


def joined(entry: bytes, payload: bytes) -> Line:
    """Return the record of an index line and a payload, both without their newline."""
    return _line(_sequence_of(entry), entry, payload)


def _line(sequence: int, entry: bytes, payload: bytes) -> Line:
    if entry[_SEQUENCE : _SEQUENCE + 1].isdigit():
        identity, leaf, moment = (entry[part].decode() for part in (_ID, _LEAF, _TIME))
        return Line(sequence, identity, leaf, moment, payload, entry)
    told = canonical.decode(entry)  # not in the usual shape: read it by its names
    return Line(sequence, told["id"], told["leaf"], told["recorded_at"], payload, entry)


def _entries(bundle: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (sequence, index line) of each record that is in the bundle."""
    proofs = bundle / "proofs.jsonl"
    with (bundle / "index.jsonl").open("rb") as index:
        if not proofs.exists():
            for line in index:
                yield _sequence_of(line), line[:-1]
            return
        with proofs.open("rb") as chosen:
            for proof in chosen:
                wanted = int(proof[proof.rindex(b":") + 1 : -2])
                yield wanted, next(line for line in index if _sequence_of(line) == wanted)[:-1]


def _sequence_of(entry: bytes) -> int:
    start = entry.index(b'"sequence":') + 11
    return int(entry[start : entry.index(b",", start)])
