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

    @property
    def words(self) -> str:
        if self.is_hidden:
            return "A record outside your scope"
        if self.record is None:
            return "A record that is not in this ledger"
        return words.headline(self.record.kind, ledger.content(self.record))


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
    origin = Node(bytes(record.leaf), record)
    made = Walk(origin, {0: [origin]})
    seen = {origin.leaf}
    for step in range(1, up + 1):
        _step_up(made, step, seen, scope)
    for step in range(1, down + 1):
        _step_down(made, step, seen, scope)
    made.goes_on_up = any(
        parents_of(node.record) for node in made.layers.get(-up, ()) if node.record
    )
    last = [node.leaf for node in made.layers.get(down, ())]
    made.goes_on_down = bool(last and citing(last, 1))
    return made


def _step_up(made: Walk, step: int, seen: set[bytes], scope: Scope) -> None:
    wanted: dict[bytes, None] = {}
    for node in made.layers.get(1 - step, ()):
        for leaf in parents_of(node.record) if node.record and not node.is_hidden else ():
            made.edges.add((node.leaf, leaf))
            if leaf not in seen:
                wanted[leaf] = None
    _add(made, -step, by_leaves(list(wanted), scope), seen)


def _step_down(made: Walk, step: int, seen: set[bytes], scope: Scope) -> None:
    leaves = [node.leaf for node in made.layers.get(step - 1, ()) if not node.is_hidden]
    found = citing(leaves, 20 * WIDTH)
    records = Record.objects.in_bulk([key for key, _ in found])
    fresh: dict[bytes, Node] = {}
    for key, parent in (each for each in found if each[0] in records):
        node = _node(bytes(records[key].leaf), records[key], scope)
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
    found = {bytes(record.leaf): record for record in Record.objects.filter(leaf__in=leaves)}
    return [_node(leaf, found.get(leaf), scope) for leaf in leaves]


def _node(leaf: bytes, record: Record | None, scope: Scope) -> Node:
    if record is not None and not scope.allows(record.stream):
        return Node(leaf, None, is_hidden=True)
    return Node(leaf, record)


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
    return [_node(bytes(records[key].leaf), records[key], scope) for key in keys if key in records]


def sharing_blobs(record: Record, limit: int, scope: Scope = EVERYTHING) -> list[Node]:
    """Return other records that cite or name a content that this one cites, oldest first."""
    from audit.desk.search import Search
    from audit.trail import Filters

    found: dict[UUID, None] = {}
    for blob in ledger.content(record)["blobs"]:
        page = Search(Filters(subject=blob), scope=scope).page(limit)
        found |= dict.fromkeys(hit.record_id for hit in page.hits if hit.record_id != record.pk)
    records = Record.objects.in_bulk(list(found)[:limit])
    return [Node(bytes(one.leaf), one) for _, one in sorted(records.items())]
