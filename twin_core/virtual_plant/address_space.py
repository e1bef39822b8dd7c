"""The nodes of a plant: names, types and how a value is shown. See docs/design/plant.md."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from asyncua import Node, Server, ua

from twin_core.science.contracts import Card, Setpoint
from twin_core.virtual_plant.access import status

NAMESPACE = "urn:pharma-digital-twin:plant"
_STATUS = {
    "good": ua.StatusCodes.Good,
    "uncertain": ua.StatusCodes.UncertainSensorNotAccurate,
    "bad": ua.StatusCodes.BadSensorFailure,
}
_FOLDERS = ("batch", "equipment", "online", "laboratory", "setpoint", "readback", "command")
_TEXT, _NUMBER, _FLAG = ua.VariantType.String, ua.VariantType.Double, ua.VariantType.Boolean


class AddressSpace:
    """Makes the nodes of one plant and writes them; a node is known by its path: ``online/ph``."""

    def __init__(self, server: Server, asset: str, index: int) -> None:
        self._server, self._asset, self._index = server, asset, index
        self._types: dict[str, ua.VariantType] = {}
        self._units: dict[str, tuple[Node, str]] = {}
        self._folders: dict[str, Node] = {}

    async def build(self, card: Card, setpoints: Iterable[Setpoint]) -> None:
        """Make every node; nothing has a value yet, and says so."""
        root = await self._object(self._server.get_objects_node(), "", self._asset)
        for folder in _FOLDERS:
            self._folders[folder] = await self._object(root, folder, folder)
        self._folders[""] = root
        await self._variable("process_time", _NUMBER, unit="h")
        for path, kind in (
            ("batch/id", _TEXT), ("batch/state", _TEXT), ("equipment/mode", _TEXT),
            ("equipment/interlock_clear", _FLAG), ("equipment/interlock_reason", _TEXT),
            ("equipment/heartbeat", ua.VariantType.UInt32),
            ("laboratory/sequence", ua.VariantType.Int64),
        ):  # fmt: skip
            await self._variable(path, kind)
        for sensor in card.sensors:
            place, kind = ("laboratory", _TEXT) if sensor.source == "lab" else ("online", _NUMBER)
            await self._variable(f"{place}/{sensor.tag}", kind, unit=sensor.unit)
        for point in setpoints:
            place = "command" if point.kind == "command" else "setpoint"
            await self._variable(f"{place}/{point.tag}", _NUMBER, unit=point.unit)
            if place == "setpoint":
                await self._variable(f"readback/{point.tag}", _NUMBER, unit=point.unit)

    def path_of(self, node: ua.NodeId) -> str:
        """Return the path of a node of ours, or ""."""
        if node.NamespaceIndex != self._index:
            return ""
        path = str(node.Identifier).removeprefix(f"{self._asset}/")
        return path if path in self._types else ""

    def type_of(self, path: str) -> ua.VariantType:
        return self._types[path]

    async def show(self, path: str, value: Any, at: datetime, *, quality: str = "good") -> None:
        """Write a value with its source time (UTC) and status; without ``path`` nothing happens."""
        told = status(_STATUS[quality])
        variant = ua.Variant(value, self._types[path])
        await self._server.write_attribute_value(
            self._node_id(path), ua.DataValue(variant, told, SourceTimestamp=_date_time(at))
        )

    async def show_unit(self, path: str, unit: str) -> None:
        """Say that a variable is in this unit, when it said something else."""
        node, shown = self._units[path]
        if shown != unit:
            await self._server.write_attribute_value(node.nodeid, ua.DataValue(_unit_variant(unit)))
            self._units[path] = (node, unit)

    async def add_method(self, path: str, call: Any, takes: list[Any], gives: list[Any]) -> None:
        folder, _, name = path.rpartition("/")
        await self._folders[folder].add_method(
            self._node_id(path), ua.QualifiedName(name, self._index), call, takes, gives
        )

    async def _object(self, parent: Node, path: str, name: str) -> Node:
        node = self._node_id(path)
        return await parent.add_object(node, ua.QualifiedName(name, self._index))

    async def _variable(self, path: str, kind: ua.VariantType, *, unit: str = "") -> None:
        folder, _, name = path.rpartition("/")
        empty: dict[ua.VariantType, Any] = {_TEXT: "", _FLAG: False}
        node = await self._folders[folder].add_variable(
            self._node_id(path),
            ua.QualifiedName(name, self._index),
            ua.Variant(empty.get(kind, 0), kind),
        )
        self._types[path] = kind
        waiting = status(ua.StatusCodes.UncertainInitialValue)
        start = ua.DataValue(ua.Variant(empty.get(kind, 0), kind), waiting)
        await self._server.write_attribute_value(node.nodeid, start)
        if unit:
            property_name = ua.QualifiedName("EngineeringUnits", 0)
            held = await node.add_property(
                self._node_id(f"{path}/EngineeringUnits"), property_name, _unit_variant(unit)
            )
            self._units[path] = (held, unit)

    def _node_id(self, path: str) -> ua.NodeId:
        name = f"{self._asset}/{path}".rstrip("/")
        return ua.NodeId(ua.String(name), ua.Int16(self._index))


def _date_time(at: datetime) -> Any:
    """The library types its times as its own class and takes the usual one."""
    return at


def _unit_variant(unit: str) -> ua.Variant:
    information = ua.EUInformation(
        NamespaceUri=NAMESPACE,
        UnitId=-1,  # our own spelling, not a code of the common list
        DisplayName=ua.LocalizedText(unit),
        Description=ua.LocalizedText(unit),
    )
    return ua.Variant(information, ua.VariantType.ExtensionObject)
