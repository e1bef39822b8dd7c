"""Index lines of many records at once, as a matrix of bytes: what ``chain.index_line`` says of one.

Inside a run of records whose sequence and transaction have the same number of digits every line is
equally long, so each column is filled for all of them in one step.
"""

from itertools import pairwise
from typing import Any

import numpy as np

ID, LEAF, TIME, XID = 16, 32, 8, 8  # bytes of each fact of a record, joined without a separator
EPOCH = np.datetime64("2000-01-01T00:00:00", "us")  # PostgreSQL counts microseconds from here
_GROUPS = (0, 8), (8, 12), (12, 16), (16, 20), (20, 32)  # hex digits of a UUID between hyphens
_POWERS = 10 ** np.arange(19, -1, -1, dtype=np.uint64)


def index_lines(*, ids: bytes, leaves: bytes, times: bytes, xids: bytes, first: int) -> bytes:
    """Return the index lines, each with its newline, of records with sequences from ``first``.

    ``ids``, ``leaves``, ``times`` and ``xids`` hold the facts of all records in order as the
    database sends them in binary (``uuid_send``, bytes, ``timestamptz_send``, ``xid8send``).
    Raises ValueError when they do not have the same number of records.
    """
    count = len(ids) // ID
    if [len(ids), len(leaves), len(times), len(xids)] != [count * n for n in (ID, LEAF, TIME, XID)]:
        raise ValueError("the facts are not those of the same number of records")
    transactions = np.frombuffer(xids, ">u8").astype(np.uint64)
    sequences = np.arange(first, first + count, dtype=np.uint64)
    columns = [
        _uuids(ids),
        _hex(leaves, LEAF),
        _moments(times),
    ]
    widths = _digits(sequences) * 32 + _digits(transactions)
    borders = [0, *(np.flatnonzero(np.diff(widths)) + 1).tolist(), count]
    runs = [slice(a, b) for a, b in pairwise(borders) if a < b]
    return b"".join(
        _run([column[run] for column in columns], sequences[run], transactions[run]) for run in runs
    )


def _run(columns: list[np.ndarray], sequences: np.ndarray, transactions: np.ndarray) -> bytes:
    identity, leaf, moment = columns
    parts: list[Any] = [
        b'{"id":"',
        identity,
        b'","leaf":"',
        leaf,
        b'","recorded_at":"',
        moment,
        b'","sequence":',
        _decimal(sequences),
        b',"transaction":"',
        _decimal(transactions),
        b'"}\n',
    ]
    widths = [len(part) if isinstance(part, bytes) else part.shape[1] for part in parts]
    lines = np.empty((len(sequences), sum(widths)), np.uint8)
    stop = 0
    for part, width in zip(parts, widths, strict=True):
        start, stop = stop, stop + width
        lines[:, start:stop] = np.frombuffer(part, np.uint8) if isinstance(part, bytes) else part
    return lines.tobytes()


def _hex(raw: bytes, width: int) -> np.ndarray:
    return np.frombuffer(raw.hex().encode(), np.uint8).reshape(-1, 2 * width)


def _uuids(raw: bytes) -> np.ndarray:
    digits = _hex(raw, ID)
    hyphen = np.full((len(digits), 1), ord("-"), np.uint8)
    parts: list[np.ndarray] = []
    for start, stop in _GROUPS:
        parts += [digits[:, start:stop], hyphen]
    return np.concatenate(parts[:-1], axis=1)


def _moments(raw: bytes) -> np.ndarray:
    """Return the times as text; a second that many records share is written once."""
    since = np.frombuffer(raw, ">i8").astype(np.int64)
    seconds, place = np.unique(since // 1_000_000, return_inverse=True)
    texts = np.datetime_as_string(EPOCH + seconds.astype("timedelta64[s]"), unit="s")
    shown = np.empty((len(since), 27), np.uint8)
    shown[:, :19] = texts.astype("S19").view(np.uint8).reshape(-1, 19)[place]
    shown[:, 19], shown[:, 26] = ord("."), ord("Z")
    shown[:, 20:26] = _fixed(since % 1_000_000, 6)
    return shown


def _digits(numbers: np.ndarray) -> np.ndarray:
    """Return how many decimal digits each number has."""
    return np.maximum(np.searchsorted(_POWERS[::-1], numbers, "right"), 1)


def _decimal(numbers: np.ndarray) -> np.ndarray:
    """Return the digits of numbers that all have the same number of them."""
    return _fixed(numbers, int(_digits(numbers[:1])[0]))


def _fixed(numbers: np.ndarray, width: int) -> np.ndarray:
    """Return the last ``width`` decimal digits of numbers."""
    digits = np.empty((len(numbers), width), np.uint8)
    left = numbers
    for place in reversed(range(width)):
        left, digit = np.divmod(left, 10)
        digits[:, place] = digit
    digits += ord("0")
    return digits
