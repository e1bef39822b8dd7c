"""Tag maps: which node of a plant is which tag, in which unit, within which limits.

A tag map is configuration that people sign: it is parsed from bytes, carries the SHA-256 of those
bytes, and is either wholly valid or refused with file, line and key. Format: docs/design/plant.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Literal, get_args

import yaml

from twin_core.science.units import known_units

FORMAT = 1
TagSource = Literal["online", "pat", "lab"]
Origin = Literal["simulated", "recorded", "plant"]


class TagMapInvalid(ValueError):
    """The tag map is refused; the text names file, line and key."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A measured tag: read value x ``scale`` is in ``unit``; outside ``limits`` it is no value.

    A tag without a good value for ``stale_after_h`` (process time) is stale.
    """

    tag: str
    node: str
    source: TagSource
    unit: str
    scale: float
    limits: tuple[float, float]
    stale_after_h: float


@dataclass(frozen=True, slots=True)
class WritePoint:
    """A set point: what may be written, how far, how fast, and where it is read back.

    ``limits`` in ``unit``; ``max_step`` is the largest change of one write, ``min_interval_h`` the
    shortest process time between two; ``tolerance`` is how near the readback must be; ``measured``
    is the tag in which the effect shows.
    """

    tag: str
    node: str
    readback: str
    unit: str
    limits: tuple[float, float]
    max_step: float
    min_interval_h: float
    tolerance: float
    measured: str
    writable: bool


@dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes that every plant has beside its tags; "" where a read-only plant has none."""

    process_time: str
    batch_id: str
    batch_state: str
    mode: str
    interlock_clear: str
    heartbeat: str
    laboratory: str
    laboratory_sequence: str
    laboratory_results_since: str


@dataclass(frozen=True, slots=True)
class TagMap:
    """A valid tag map and the SHA-256 (hex) of the bytes it came from."""

    asset: str
    origin: Origin
    namespace: str
    application_uri: str
    nodes: Nodes
    tags: Mapping[str, Tag]
    setpoints: Mapping[str, WritePoint]
    digest: str


def parse_tag_map(data: bytes, *, name: str) -> TagMap:
    """Return the tag map of these bytes, or raise TagMapInvalid; ``name`` is for the message."""
    reader = _Reader(name)
    root = reader.mapping(_document(data, name), "", _TOP)
    if root["format"].value != str(FORMAT):
        raise reader.error(root["format"], "format", f"is not {FORMAT}, the format known here")
    tags = reader.each(root["tags"], "tags", _tag)
    setpoints = reader.each(root["setpoints"], "setpoints", _write_point)
    _check_measured(reader, root, setpoints, tags)
    _check_nodes_differ(reader, root, tags, setpoints)
    return TagMap(
        asset=reader.text(root["asset"], "asset"),
        origin=reader.choice(root["origin"], "origin", get_args(Origin)),
        namespace=reader.text(root["namespace"], "namespace"),
        application_uri=reader.text(root["application_uri"], "application_uri"),
        nodes=_nodes(reader, root["nodes"]),
        tags=MappingProxyType(tags),
        setpoints=MappingProxyType(setpoints),
        digest=sha256(data).hexdigest(),
    )


_TOP = ("format", "asset", "origin", "namespace", "application_uri", "nodes", "tags", "setpoints")
_TAG = ("node", "source", "unit", "scale", "limits", "stale_after_h")
_WRITE_POINT = (
    "node", "readback", "unit", "limits", "max_step", "min_interval_h", "tolerance",
    "measured", "writable",
)  # fmt: skip


def _document(data: bytes, name: str) -> yaml.Node:
    try:
        document = yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise TagMapInvalid(f"{name}: is not YAML in UTF-8: {error}") from error
    if document is None:
        raise TagMapInvalid(f"{name}: is empty")
    return document


class _Reader:
    """Turns YAML nodes into values, or into an error that says where."""

    def __init__(self, name: str) -> None:
        self.name = name

    def error(self, node: yaml.Node, key: str, what: str) -> TagMapInvalid:
        line = node.start_mark.line + 1
        return TagMapInvalid(f"{self.name}, line {line}, {key or 'document'}: {what}")

    def pairs(self, node: yaml.Node, key: str) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, key, "must be a mapping of keys to values")
        found: dict[str, Any] = {}
        for name, value in node.value:
            if name.value in found:
                raise self.error(name, f"{key}.{name.value}".lstrip("."), "is given twice")
            found[name.value] = value
        return found

    def mapping(self, node: yaml.Node, key: str, names: tuple[str, ...]) -> dict[str, Any]:
        """Return a mapping that has exactly these keys."""
        found = self.pairs(node, key)
        for name in names:
            if name not in found:
                raise self.error(node, f"{key}.{name}".lstrip("."), "is missing")
        for name, value in found.items():
            if name not in names:
                known = ", ".join(names)
                raise self.error(
                    value, f"{key}.{name}".lstrip("."), f"is not known; known: {known}"
                )
        return found

    def each(self, node: yaml.Node, key: str, read: Any) -> dict[str, Any]:
        return {
            tag: read(self, value, f"{key}.{tag}", tag)
            for tag, value in self.pairs(node, key).items()
        }

    def text(self, node: yaml.Node, key: str, *, empty: bool = False) -> str:
        if not isinstance(node, yaml.ScalarNode) or not (node.value or empty):
            raise self.error(node, key, "must be a text")
        return node.value

    def choice(self, node: yaml.Node, key: str, allowed: tuple[str, ...]) -> Any:
        if self.text(node, key) not in allowed:
            raise self.error(node, key, f"is {node.value!r}; allowed: {', '.join(allowed)}")
        return node.value

    def number(self, node: yaml.Node, key: str) -> float:
        try:
            value = float(self.text(node, key))
        except ValueError:
            raise self.error(node, key, f"must be a number, not {node.value!r}") from None
        if not abs(value) < float("inf"):
            raise self.error(node, key, "must be a finite number")
        return value

    def positive(self, node: yaml.Node, key: str) -> float:
        value = self.number(node, key)
        if value <= 0:
            raise self.error(node, key, f"must be above zero, not {value}")
        return value

    def flag(self, node: yaml.Node, key: str) -> bool:
        return bool(self.choice(node, key, ("true", "false")) == "true")

    def limits(self, node: yaml.Node, key: str) -> tuple[float, float]:
        if not isinstance(node, yaml.SequenceNode) or len(node.value) != 2:
            raise self.error(node, key, "must be [low, high]")
        low, high = (self.number(item, key) for item in node.value)
        if not low < high:
            raise self.error(node, key, f"low {low} must be below high {high}")
        return low, high


def _tag(reader: _Reader, node: yaml.Node, key: str, tag: str) -> Tag:
    found = reader.mapping(node, key, _TAG)
    return Tag(
        tag=tag,
        node=reader.text(found["node"], f"{key}.node"),
        source=reader.choice(found["source"], f"{key}.source", get_args(TagSource)),
        unit=reader.choice(found["unit"], f"{key}.unit", known_units()),
        scale=reader.positive(found["scale"], f"{key}.scale"),
        limits=reader.limits(found["limits"], f"{key}.limits"),
        stale_after_h=reader.positive(found["stale_after_h"], f"{key}.stale_after_h"),
    )


def _write_point(reader: _Reader, node: yaml.Node, key: str, tag: str) -> WritePoint:
    found = reader.mapping(node, key, _WRITE_POINT)
    return WritePoint(
        tag=tag,
        node=reader.text(found["node"], f"{key}.node"),
        readback=reader.text(found["readback"], f"{key}.readback"),
        unit=reader.choice(found["unit"], f"{key}.unit", known_units()),
        limits=reader.limits(found["limits"], f"{key}.limits"),
        max_step=reader.positive(found["max_step"], f"{key}.max_step"),
        min_interval_h=reader.positive(found["min_interval_h"], f"{key}.min_interval_h"),
        tolerance=reader.positive(found["tolerance"], f"{key}.tolerance"),
        measured=reader.text(found["measured"], f"{key}.measured", empty=True),
        writable=reader.flag(found["writable"], f"{key}.writable"),
    )


def _nodes(reader: _Reader, node: yaml.Node) -> Nodes:
    names = Nodes.__slots__
    found = reader.mapping(node, "nodes", names)
    return Nodes(**{name: reader.text(found[name], f"nodes.{name}", empty=True) for name in names})


def _check_measured(
    reader: _Reader,
    root: Mapping[str, Any],
    setpoints: Mapping[str, WritePoint],
    tags: Mapping[str, Tag],
) -> None:
    for point in setpoints.values():
        if point.measured and point.measured not in tags:
            key = f"setpoints.{point.tag}.measured"
            raise reader.error(root["setpoints"], key, f"{point.measured!r} is not a tag")


def _check_nodes_differ(
    reader: _Reader,
    root: Mapping[str, Any],
    tags: Mapping[str, Tag],
    setpoints: Mapping[str, WritePoint],
) -> None:
    """Two tags must not share a node, and no tag may be a node that can be written."""
    seen: dict[str, str] = {}
    owners = [(tag.node, f"tags.{tag.tag}") for tag in tags.values()]
    owners += [(point.node, f"setpoints.{point.tag}") for point in setpoints.values()]
    for node, key in owners:
        if node in seen:
            raise reader.error(root["tags"], key, f"node {node!r} belongs to {seen[node]} already")
        seen[node] = key
