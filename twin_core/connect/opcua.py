"""One plant's subscription: what changed, in the order in which it came, until the link breaks."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asyncua import Client, ua

from twin_core.connect import client as opcua
from twin_core.science.tag_map import TagMap

PUBLISH_MS = 200
QUEUE = 2000  # values kept by the server for one tag between two publications
MOST_RESULTS = 200  # laboratory results in one answer


@dataclass(frozen=True, slots=True)
class Change:
    """One value of one node as it came; ``is_first`` after the subscription was made.

    The first value of a node is what stands there: after a broken link it may be one that is
    known already, which is no duplicate.
    """

    tag: str
    value: Any
    quality: str
    source_time: datetime
    is_first: bool = False


@dataclass(slots=True)
class Window:
    """What came between two looks: changes, units, laboratory documents and the batch."""

    changes: list[Change] = field(default_factory=list)
    units: dict[str, set[str]] = field(default_factory=dict)
    process: dict[datetime, float] = field(default_factory=dict)
    results: list[dict[str, Any]] = field(default_factory=list)
    batch_id: str = ""
    batch_state: str = ""


class Subscription:
    """Follows one plant. ``windows`` yields what came, every ``every_s`` seconds."""

    def __init__(
        self, tag_map: TagMap, *, endpoint: str, certificates: Path, after: int, every_s: float
    ) -> None:
        self.map, self.endpoint, self.certificates = tag_map, endpoint, certificates
        self.sequence, self.every_s = after, every_s
        self._window = Window()
        self._units: dict[str, str] = {}
        self._tags: dict[Any, str] = {}
        self._unit_tags: dict[Any, str] = {}
        self._met: set[str] = set()
        self._ended = ""

    async def windows(self) -> AsyncIterator[Window]:
        """Yield windows while the link holds; raises OSError or ua.UaError when it breaks."""
        async with opcua.session(
            self.endpoint,
            name="connector",
            certificates=self.certificates,
            plant=self.map.asset,
        ) as client:
            node = await opcua.resolve(client, self.map.namespace)
            await self._subscribe(client, node)
            while True:
                await asyncio.sleep(self.every_s)
                await client.check_connection()
                if self._ended:
                    raise ConnectionError(f"the plant ended the subscription: {self._ended}")
                yield await self._take(node)

    async def _subscribe(self, client: Client, node: Any) -> None:
        watched = {tag.tag: tag.node for tag in self.map.tags.values() if tag.source == "online"}
        watched |= {point.tag: point.readback for point in self.map.setpoints.values()}
        for tag, path in watched.items():
            self._tags[node(path).nodeid] = tag
            self._unit_tags[node(f"{path}/EngineeringUnits").nodeid] = tag
        process = node(self.map.nodes.process_time)
        self._tags[process.nodeid] = ""
        subscription = await client.create_subscription(PUBLISH_MS, self, queue_maxsize=50 * QUEUE)
        keys = (*self._unit_tags, *self._tags)
        await subscription.create_monitored_items(
            [_every_report(key, handle) for handle, key in enumerate(keys, start=1)]
        )

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        """Take one change over (called by the client library, in the order of publication)."""
        told = data.monitored_item.Value
        if node.nodeid in self._unit_tags:
            tag = self._unit_tags[node.nodeid]
            self._units[tag] = value.DisplayName.Text or ""
            self._window.units.setdefault(tag, set()).add(self._units[tag])
            return
        if told.StatusCode is not None and told.StatusCode.value == (
            ua.StatusCodes.UncertainInitialValue
        ):
            return  # the plant has no value yet
        at = (told.SourceTimestamp or told.ServerTimestamp or datetime.now(UTC)).replace(tzinfo=UTC)
        tag = self._tags[node.nodeid]
        if not tag:
            self._window.process[at] = value
            return
        is_first = tag not in self._met
        self._met.add(tag)
        quality = opcua.quality_of(told.StatusCode)
        self._window.changes.append(Change(tag, value, quality, at, is_first))

    def status_change_notification(self, status: Any) -> None:
        """The server has ended or changed the subscription (called by the client library)."""
        self._ended = str(status)

    async def _take(self, node: Any) -> Window:
        """Return what came since the last look, with the laboratory caught up."""
        results = await self._results(node)
        nodes = self.map.nodes
        batch_id = await node(nodes.batch_id).read_value()
        batch_state = await node(nodes.batch_state).read_value()
        window, self._window = self._window, Window()
        window.results, window.batch_id, window.batch_state = results, batch_id, batch_state
        for tag, unit in self._units.items():  # the unit that held when the window began
            window.units.setdefault(tag, set()).add(unit)
        return window

    async def _results(self, node: Any) -> list[dict[str, Any]]:
        """Return every laboratory result after the last one taken, whatever was missed."""
        found: list[dict[str, Any]] = []
        laboratory = node(self.map.nodes.laboratory)
        method = node(self.map.nodes.laboratory_results_since)
        while True:
            documents = await laboratory.call_method(
                method.nodeid,
                ua.Variant(self.sequence, ua.VariantType.Int64),
                ua.Variant(MOST_RESULTS, ua.VariantType.UInt32),
            )
            for text in documents or ():
                document = json.loads(text)
                self.sequence = max(self.sequence, int(document["sequence"]))
                found.append(document)
            if not documents or len(documents) < MOST_RESULTS:
                return found


def _every_report(node: ua.NodeId, handle: int) -> ua.MonitoredItemCreateRequest:
    """Ask for every report of a node, also when only its time moved: it is not stale then."""
    parameters = ua.MonitoringParameters(
        ClientHandle=handle,
        SamplingInterval=0.0,
        Filter=ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp),
        QueueSize=QUEUE,
        DiscardOldest=True,
    )
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=parameters,
    )
