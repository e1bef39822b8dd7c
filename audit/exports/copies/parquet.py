"""Typed tables (Parquet): one row a record, to be searched and sorted by any tool."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from audit.exports.copies import Done, lines
from audit.exports.copies.volumes import volumes
from audit.exports.cut import Cut
from audit.exports.journal import Journal

VOLUME = 500_000  # records a file
ROWS = 100_000  # records a row group
BATCH = 10_000  # records turned into columns at a time
OPTIONS: dict[str, Any] = {"compression": "zstd", "compression_level": 9}
_TIME = pa.timestamp("us", tz="UTC")
_WORD = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("sequence", pa.int64()),
        ("recorded_at", _TIME),
        ("occurred_at", _TIME),
        ("stream", _WORD),
        ("kind", _WORD),
        ("actor_id", _WORD),
        ("actor_kind", _WORD),
        ("actor_name", _WORD),
        ("reason", pa.string()),
        ("subjects", pa.list_(pa.string())),  # "type id"
        ("changes", pa.string()),  # JSON text, as recorded
        ("data", pa.string()),  # JSON text, as recorded
        ("address", _WORD),
        ("process", _WORD),
        ("session", _WORD),
        ("software", _WORD),
    ]
)


def write(journal: Journal, cut: Cut, records: int) -> Iterator[Done]:
    """Write ``copies/records-NNNN.parquet``."""
    for volume in volumes(records, VOLUME):
        name = volume.name("records", "parquet")
        if name not in journal.digests:
            found = lines.read(journal.bundle, start=volume.start, stop=volume.stop)
            with journal.file(name) as file:
                write_volume(file, found, told=_metadata(cut))
            yield Done("parquet", volume.stop)


def _metadata(cut: Cut) -> dict[str, str]:
    return {"origin": cut.origin, "tree_size": str(cut.tree_size), "root": cut.head.root.hex()}


def write_volume(
    file: Any, found: Iterator[lines.Line], *, told: dict[str, str] | None = None
) -> None:
    """Write one file; ``told`` is kept in its metadata."""
    with pq.ParquetWriter(file, SCHEMA.with_metadata(told), **OPTIONS) as writer:
        tables = []
        while batch := list(islice(found, BATCH)):
            tables.append(table_of(batch))
            if len(tables) * BATCH >= ROWS:
                writer.write_table(_joined(tables), row_group_size=ROWS)
                tables = []
        if tables:
            writer.write_table(_joined(tables), row_group_size=ROWS)


def _joined(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).unify_dictionaries()


def table_of(batch: list[lines.Line]) -> pa.Table:
    """Return the rows of some records."""
    rows = list(zip(*map(_row, batch), strict=True))
    columns = [_column(list(rows[place]), field.type) for place, field in enumerate(SCHEMA)]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _row(line: lines.Line) -> tuple[Any, ...]:
    told = line.told()
    actor, source = told["actor"], told["source"]
    return (
        line.sequence,
        line.recorded_at,
        told["occurred_at"],
        told["stream"],
        told["kind"],
        actor["id"],
        actor["kind"],
        actor["name"],
        told["reason"],
        [f"{each['subject']['type']} {each['subject']['id']}" for each in told["changes"]],
        orjson.dumps(told["changes"]).decode(),
        None if told["data"] is None else orjson.dumps(told["data"]).decode(),
        source["address"],
        source["process"],
        source["session"],
        source["software"],
    )


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if kind == _TIME:
        return pa.array(values, pa.string()).cast(_TIME)
    if kind == _WORD:
        return pa.array(values, pa.string()).dictionary_encode()
    return pa.array(values, kind)
