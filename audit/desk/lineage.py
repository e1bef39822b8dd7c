"""What a record rests on and what rests on it, step by step, by the leaf hashes it cites.

Down: the index knows who cites whom; records not indexed yet are read themselves. A walk has a
depth and a width, and says what it left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection

from audit import ledger, words
from audit.desk import indexing
from audit.desk.scope import EVERYTHING, Scope
from audit.guards import trust
from audit.models import Record

DEPTH, DEEPEST = 3, 8  # steps each way: at first, and at most
WIDTH = 12  # records of one step
CITING = """
SELECT row.record_id, edge.parent FROM audit_searchedge edge
JOIN audit_searchrow row ON row.sequence = edge.child
WHERE edge.parent = ANY(%s) AND edge.child <= %s ORDER BY edge.child LIMIT %s
"""
CITING_FRESH = """
SELECT record.id, decode(cited.leaf, 'hex') FROM audit_record record
CROSS JOIN LATERAL jsonb_array_elements_text(record.payload::jsonb -> 'parents') AS cited (leaf)
WHERE (record.transaction, record.id) > (%s::text::xid8, %s) AND cited.leaf = ANY(%s)
ORDER BY record.transaction, record.id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Node:
    """A record in the picture; one that is cited but not found has no ``record``."""

    leaf: bytes
    record: Record | None
    is_hidden: bool = False  # outside the scope of who looks
    is_trusted: bool = True  # false: altered after it was recorded; nothing of it is told

    @property
    def words(self) -> str:
        if self.is_hidden:
            return "A record outside your scope"
        if self.record is None:
            return "A record that is not in this ledger"
        if not self.is_trusted:
            return trust.ALTERED
        return words.headline(self.record.kind, ledger.content(self.record))

    @property
    def parents(self) -> list[bytes]:
        """The leaves that it cites, as far as it may be believed and is shown."""
        shown = self.record is not None and self.is_trusted and not self.is_hidden
        return parents_of(self.record) if self.record is not None and shown else []


@dataclass(slots=True)
class Walk:
    """Layers by their distance from the origin: below 0 what it rests on, above what rests on it.

    ``edges`` lead from a record to what it cites, by leaf. ``left_out`` counts, by layer, records
    that were one too many for the width; ``goes_on`` says whether the last layers cite further.
    """

    origin: Node
    layers: dict[int, list[Node]] = field(default_factory=dict)
    edges: set[tuple[bytes, bytes]] = field(default_factory=set)  # child, parent
    left_out: dict[int, int] = field(default_factory=dict)
    goes_on_up: bool = False
    goes_on_down: bool = False


def walk(record: Record, *, up: int = DEPTH, down: int = DEPTH, scope: Scope = EVERYTHING) -> Walk:
    """Return the records within ``up`` and ``down`` steps of one."""
    (origin,) = nodes_of([record])
    made = Walk(origin, {0: [origin]})
    seen = {origin.leaf}
    for step in range(1, up + 1):
        _step_up(made, step, seen, scope)
    for step in range(1, down + 1):
        _step_down(made, step, seen, scope)
    made.goes_on_up = any(node.parents for node in made.layers.get(-up, ()))
    last = [node.leaf for node in made.layers.get(down, ())]
    made.goes_on_down = bool(last and citing(last, 1))
    return made


def _step_up(made: Walk, step: int, seen: set[bytes], scope: Scope) -> None:
    wanted: dict[bytes, None] = {}
    for node in made.layers.get(1 - step, ()):
        for leaf in node.parents:
            made.edges.add((node.leaf, leaf))
            if leaf not in seen:
                wanted[leaf] = None
    _add(made, -step, by_leaves(list(wanted), scope), seen)


def _step_down(made: Walk, step: int, seen: set[bytes], scope: Scope) -> None:
    leaves = [node.leaf for node in made.layers.get(step - 1, ()) if not node.is_hidden]
    found = citing(leaves, 20 * WIDTH)
    records = Record.objects.in_bulk([key for key, _ in found])
    nodes = dict(zip(records, nodes_of(records.values(), scope), strict=True))
    fresh: dict[bytes, Node] = {}
    for key, parent in (each for each in found if each[0] in records):
        node = nodes[key]
        made.edges.add((node.leaf, parent))
        if node.leaf not in seen:
            fresh.setdefault(node.leaf, node)
    _add(made, step, list(fresh.values()), seen)


def _add(made: Walk, layer: int, nodes: Sequence[Node], seen: set[bytes]) -> None:
    if nodes:
        made.layers[layer] = list(nodes[:WIDTH])
        seen.update(node.leaf for node in made.layers[layer])
    if len(nodes) > WIDTH:
        made.left_out[layer] = len(nodes) - WIDTH


def parents_of(record: Record) -> list[bytes]:
    return [bytes.fromhex(leaf) for leaf in ledger.content(record)["parents"]]


def by_leaves(leaves: Sequence[bytes], scope: Scope = EVERYTHING) -> list[Node]:
    """Return the records of these leaves in their order; one not found as a node without."""
    records = Record.objects.filter(leaf__in=leaves)
    found = {node.leaf: node for node in nodes_of(records, scope)}
    return [found.get(leaf) or Node(leaf, None) for leaf in leaves]


def nodes_of(records: Iterable[Record], scope: Scope = EVERYTHING) -> list[Node]:
    """Return records as nodes in their order, each held to what was sealed."""
    records = list(records)
    doubtful = trust.untrusted(records)
    return [_node(record, scope, is_trusted=record.pk not in doubtful) for record in records]


def _node(record: Record, scope: Scope, *, is_trusted: bool) -> Node:
    if not scope.allows(record.stream):
        return Node(bytes(record.leaf), None, is_hidden=True)
    return Node(bytes(record.leaf), record, is_trusted=is_trusted)


def citing(leaves: Iterable[bytes], limit: int) -> list[tuple[UUID, bytes]]:
    """Return (record's key, leaf it cites) of the first records that cite one of ``leaves``."""
    wanted = list(leaves)
    if not wanted:
        return []
    end = indexing.mark()
    with connection.cursor() as cursor:
        cursor.execute(CITING, [wanted, end.sequence, limit])
        found = [(key, bytes(leaf)) for key, leaf in cursor.fetchall()]
        if len(found) < limit:
            cursor.execute(
                CITING_FRESH,
                [
                    str(end.transaction),
                    end.record_id,
                    [leaf.hex() for leaf in wanted],
                    limit - len(found),
                ],
            )
            found += [(key, bytes(leaf)) for key, leaf in cursor.fetchall()]
    return found


def children_of(record: Record, limit: int, scope: Scope = EVERYTHING) -> list[Node]:
    """Return the first records that cite one."""
    keys = list(dict.fromkeys(key for key, _ in citing([bytes(record.leaf)], limit)))
    records = Record.objects.in_bulk(keys)
    return nodes_of((records[key] for key in keys if key in records), scope)


def sharing_blobs(record: Record, limit: int, scope: Scope = EVERYTHING) -> list[Node]:
    """Return other records that cite or name a content that this one cites, oldest first.

    The one itself is one that may be believed.
    """
    from audit.desk.search import Search
    from audit.trail import Filters

    found: dict[UUID, None] = {}
    for blob in ledger.content(record)["blobs"]:
        page = Search(Filters(subject=blob), scope=scope).page(limit)
        found |= dict.fromkeys(hit.record_id for hit in page.hits if hit.record_id != record.pk)
    records = Record.objects.in_bulk(list(found)[:limit])
    return nodes_of(one for _, one in sorted(records.items()))
