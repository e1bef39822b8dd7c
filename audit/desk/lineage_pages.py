"""The lineage of a record as a picture made here, and as a list of the same content."""

from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from audit.desk import lineage
from audit.desk.lineage import DEEPEST, DEPTH, Node, Walk
from audit.desk.pages import Box, Drawing, Layer, LineagePage
from audit.desk.scope import Scope
from audit.models import Record
from audit.record_pages import relatives

BOX, HIGH = 200, 46  # pixels: width and height of a box
STEP_X, STEP_Y, TOP, LEFT = 250, 60, 40, 8
LETTERS = 26  # of a line in a box
SHARING = 20


def depth_of(query: QueryDict, name: str) -> int:
    """Return how many steps the address asks for, within bounds; ``DEPTH`` if unreadable."""
    text = query.get(name, "")
    return min(int(text), DEEPEST) if text.isdecimal() and len(text) < 3 else DEPTH


def lineage_page(record: Record, query: QueryDict, scope: Scope) -> LineagePage:
    """Return the page of a record's lineage within the steps that ``query`` asks for."""
    up, down = depth_of(query, "up"), depth_of(query, "down")
    walk = lineage.walk(record, up=up, down=down, scope=scope)
    own = reverse("audit:lineage", args=[record.pk])
    is_trusted = walk.origin.is_trusted
    sharing = lineage.sharing_blobs(record, SHARING, scope) if is_trusted else []

    def address(up: int, down: int) -> str:
        return f"{own}?{urlencode({'up': up, 'down': down})}"

    is_default = (up, down) == (DEPTH, DEPTH)
    return LineagePage(
        words=walk.origin.words,
        record_href=reverse("audit:record", args=[record.pk]),
        drawing=drawing(walk),
        layers=[_layer(walk, number) for number in sorted(walk.layers)],
        sharing=relatives(sharing),
        more_up_href=address(up + 1, down) if walk.goes_on_up and up < DEEPEST else "",
        more_down_href=address(up, down + 1) if walk.goes_on_down and down < DEEPEST else "",
        less_href="" if is_default else own,
    )


def _layer(walk: Walk, number: int) -> Layer:
    return Layer(heading(number), relatives(walk.layers[number]), walk.left_out.get(number, 0))


def heading(number: int) -> str:
    """Return what the records of a layer are to the one that is looked at."""
    if number == 0:
        return "This record"
    steps = "directly" if abs(number) == 1 else f"in {abs(number)} steps"
    return f"It rests on, {steps}" if number < 0 else f"Rests on it, {steps}"


def drawing(walk: Walk) -> Drawing:
    """Return boxes in columns, the oldest evidence on the left, and curves from cause to effect."""
    numbers = sorted(walk.layers)
    tallest = max(len(nodes) for nodes in walk.layers.values())
    places: dict[bytes, tuple[int, int]] = {}
    boxes, more, headings = [], [], []
    for column, number in enumerate(numbers):
        nodes, x = walk.layers[number], LEFT + column * STEP_X
        headings.append((x, heading(number)))
        first = TOP + (tallest - len(nodes)) * STEP_Y // 2
        for row, node in enumerate(nodes):
            places[node.leaf] = (x, first + row * STEP_Y)
            boxes.append(_box(node, *places[node.leaf], is_origin=number == 0))
        if left := walk.left_out.get(number):
            more.append((x, first + len(nodes) * STEP_Y + 12, f"and {left} more"))
    return Drawing(
        width=LEFT * 2 + (len(numbers) - 1) * STEP_X + BOX,
        height=TOP + tallest * STEP_Y + 24,
        boxes=boxes,
        paths=[
            _curve(places[parent], places[child])
            for child, parent in sorted(walk.edges)
            if child in places and parent in places
        ],
        headings=headings,
        more=more,
    )


def _box(node: Node, x: int, y: int, *, is_origin: bool) -> Box:
    record = node.record
    return Box(
        x=x,
        y=y,
        words=node.words,
        line=_cut(node.words),
        below=f"{record.recorded_at:%Y-%m-%d %H:%M:%S} UTC" if record else node.leaf.hex()[:16],
        href=reverse("audit:record", args=[record.pk]) if record else "",
        is_origin=is_origin,
        is_missing=record is None,
        is_trusted=node.is_trusted,
    )


def _cut(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1].rstrip()}…"


def _curve(cause: tuple[int, int], effect: tuple[int, int]) -> str:
    """Return the path from the right side of one box to the left side of another."""
    x1, y1 = cause[0] + BOX, cause[1] + HIGH // 2
    x2, y2 = effect[0], effect[1] + HIGH // 2
    if cause[0] == effect[0]:  # in one column: round the outside
        return f"M{x1} {y1}C{x1 + 30} {y1} {x1 + 30} {y2} {x1} {y2}"
    middle = (x1 + x2) // 2
    return f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
