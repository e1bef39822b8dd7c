"""What guards the records, as a list of facts: taken from the catalogue, hashed, compared.

A fact is a name (``trigger public.audit_block keep``) and what the catalogue says of it. Partitions
come and go with the months: the facts about one are kept once as its *pattern*, in which its own
name is ``{partition}``, so that a month made ahead in the usual shape is no difference.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection, transaction

from audit.guards import catalogue

PARTITION, PATTERN, HEIR = "partition", "pattern", "heir"
Facts = dict[str, Any]
Row = tuple[str, str, str, Any]  # kind, table or empty, name, what is so


@dataclass(frozen=True, slots=True)
class Difference:
    """One guard that is not what it was; None stands for a fact that is not there."""

    fact: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if self.after is None:
            return f"{self.fact} is gone"
        return f"{self.fact} is new" if self.before is None else f"{self.fact} has changed"


def take() -> Facts:
    """Return the facts of this database as of now. Any role may ask; nothing is written."""
    rows: list[Row] = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path TO pg_catalog")  # names come out with their schema
        cursor.execute("SET LOCAL timezone TO 'UTC'")
        for question in catalogue.QUESTIONS:
            cursor.execute(question, {"settings": list(catalogue.SETTINGS)})
            rows.extend(
                (kind, table, name, orjson.loads(says) if isinstance(says, str) else says)
                for kind, table, name, says in cursor.fetchall()
            )
        cursor.execute("SET LOCAL search_path TO DEFAULT")
    return facts_of(rows)


def facts_of(rows: Iterable[Row]) -> Facts:
    """Return the catalogue's rows as facts, with one pattern for partitions of one shape."""
    rows = list(rows)
    heirs = {table: says for kind, table, _, says in rows if kind == HEIR}
    partitions = {table for table, says in heirs.items() if says["bound"] is not None}
    facts: Facts = {}
    shapes: dict[str, Facts] = {table: {} for table in partitions}
    for kind, table, name, says in rows:
        if table not in partitions:
            facts[" ".join(part for part in (kind, table, name) if part)] = says
        elif kind != HEIR:
            fact, neutral = _neutral(kind, table, name, says)
            shapes[table][fact] = neutral
    for table, shape in shapes.items():
        pattern = digest(shape)[:16]
        facts[f"{PATTERN} {pattern}"] = shape
        facts[f"{PARTITION} {table}"] = {**heirs[table], PATTERN: pattern}
    return facts


def _neutral(kind: str, table: str, name: str, says: Any) -> tuple[str, Any]:
    own = table.rpartition(".")[2]
    text = orjson.dumps([f"{kind} {name}".strip(), says]).decode()
    fact, neutral = orjson.loads(text.replace(own, "{partition}"))
    return fact, neutral


def encode(facts: Facts) -> bytes:
    """Return the facts as one text: sorted, so that equal facts give equal bytes."""
    return orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)


def digest(facts: Facts) -> str:
    return hashlib.sha256(encode(facts)).hexdigest()


def differences(expected: Facts, found: Facts) -> list[Difference]:
    """Return what changed, by name. A new partition in a known shape of its parent is none."""
    return [
        difference
        for fact in sorted({*expected, *found})
        if not fact.startswith(PATTERN) and expected.get(fact) != found.get(fact)
        for difference in _told(fact, expected, found)
    ]


def _told(fact: str, expected: Facts, found: Facts) -> Iterator[Difference]:
    before, after = expected.get(fact), found.get(fact)
    if not fact.startswith(f"{PARTITION} ") or after is None:
        yield Difference(fact, before, after)
    elif before is None:
        if (after["of"], after[PATTERN]) not in _shapes(expected):
            yield Difference(fact, None, after)
            yield from _of_shape(fact, _usual(after["of"], expected), _shape(after, found))
    else:
        if any(before[name] != after[name] for name in before if name != PATTERN):
            yield Difference(fact, before, after)
        yield from _of_shape(fact, _shape(before, expected), _shape(after, found))


def _of_shape(fact: str, before: Facts, after: Facts) -> Iterator[Difference]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield Difference(f"{fact}: {name}", before.get(name), after.get(name))


def _shapes(facts: Facts) -> set[tuple[str, str]]:
    return {
        (says["of"], says[PATTERN])
        for fact, says in facts.items()
        if fact.startswith(f"{PARTITION} ")
    }


def _usual(parent: str, facts: Facts) -> Facts:
    """Return the shape of a parent's last known partition; empty when it had none."""
    known = [
        says
        for fact, says in sorted(facts.items())
        if fact.startswith(f"{PARTITION} ") and says["of"] == parent
    ]
    return _shape(known[-1], facts) if known else {}


def _shape(partition: Mapping[str, Any], facts: Facts) -> Facts:
    shape: Facts = facts[f"{PATTERN} {partition[PATTERN]}"]
    return shape
