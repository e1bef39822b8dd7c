"""The gate's own session with one plant: its certificate, its heartbeat, its reads and writes.

The session lives in a thread with a loop of its own, so that the heartbeat goes on while the gate
thinks; the gate calls it from outside and waits for the answer.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import structlog
from asyncua import ua

from twin_core.connect import client as opcua
from twin_core.science.tag_map import TagMap, WritePoint
from twin_core.write_gate.service import LinkLost, WriteRefused

T = TypeVar("T")
BEAT_S = 1.0  # seconds between two heartbeats
PATIENCE_S = 10.0  # seconds for one answer
AGAIN_S = 1.0  # seconds before a lost session is opened again
BROKEN = (OSError, ua.UaError, TimeoutError, asyncio.TimeoutError)
log = structlog.get_logger("gate")


class OpcUaLink:
    """A link that opens its session again by itself; each call says when there is none."""

    def __init__(self, tag_map: TagMap, *, endpoint: Callable[[], str], certificates: Path) -> None:
        self.map, self.endpoint, self.certificates = tag_map, endpoint, certificates
        self._loop = asyncio.new_event_loop()
        self._client: Any = None
        self._node: Any = None
        self._keeper: asyncio.Task[None] | None = None
        self.is_beating = True
        self._thread = Thread(target=self._run, name=f"link {tag_map.asset}", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        return self._client is not None

    def close(self) -> None:
        """End the session and the thread."""
        if self._keeper is not None:
            self._loop.call_soon_threadsafe(self._keeper.cancel)
        self._thread.join(timeout=PATIENCE_S)

    def read(self, point: WritePoint) -> dict[str, Any]:
        """Return what the gate looks at; None for what has no good value. Raises LinkLost."""
        return self._ask(self._read(point))

    def write(self, point: WritePoint, value: float) -> None:
        """Write one set point; WriteRefused when the plant says no, LinkLost without an answer."""
        self._ask(self._write(point, value))

    # ------------------------------------------------------- in the link's own thread
    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._keeper = self._loop.create_task(self._keep())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._keeper)
        self._loop.close()

    async def _keep(self) -> None:
        """Hold a session open and beat; after a break open it again."""
        while True:
            try:
                async with opcua.session(
                    self.endpoint(),
                    name="gate",
                    certificates=self.certificates,
                    plant=self.map.asset,
                ) as client:
                    self._node = await opcua.resolve(client, self.map.namespace)
                    self._client = client
                    await self._beat()
            except BROKEN as error:
                log.warning("plant link", asset=self.map.asset, error=f"{error}")
            finally:
                self._client = None
            await asyncio.sleep(AGAIN_S)

    async def _beat(self) -> None:
        heartbeat, number = self._node(self.map.nodes.heartbeat), 0
        while True:
            number = (number + 1) % 2**32
            if self.is_beating:
                await heartbeat.write_value(ua.Variant(number, ua.VariantType.UInt32))
            await self._client.check_connection()
            await asyncio.sleep(BEAT_S)

    async def _read(self, point: WritePoint) -> dict[str, Any]:
        nodes = self.map.nodes
        return {
            "process_h": await self._good(nodes.process_time),
            "batch": await self._good(nodes.batch_id),
            "mode": await self._good(nodes.mode),
            "interlock_clear": await self._good(nodes.interlock_clear),
            "held": await self._good(point.readback),
        }

    async def _good(self, path: str) -> Any:
        """Return a node's value, None unless its quality is good."""
        told = await self._node(path).read_data_value(raise_on_bad_status=False)
        is_good = opcua.quality_of(told.StatusCode) == "good"
        return told.Value.Value if is_good and told.Value is not None else None

    async def _write(self, point: WritePoint, value: float) -> None:
        try:
            await self._node(point.node).write_value(ua.Variant(value, ua.VariantType.Double))
        except ua.UaStatusCodeError as error:
            if error.code in NO_ANSWER:
                raise LinkLost(str(error)) from error
            raise WriteRefused(ua.status_codes.get_name_and_doc(error.code)[0]) from error

    # ------------------------------------------------------------ from the gate's thread
    def _ask(self, question: Coroutine[Any, Any, T]) -> T:
        if not self.is_open or not self._loop.is_running():
            question.close()
            raise LinkLost(f"no session with {self.map.asset}")
        answer = asyncio.run_coroutine_threadsafe(question, self._loop)
        try:
            return answer.result(timeout=PATIENCE_S)
        except FutureTimeout as error:
            answer.cancel()
            raise LinkLost(f"{self.map.asset} did not answer in {PATIENCE_S:g} s") from error
        except BROKEN as error:
            raise LinkLost(f"{self.map.asset}: {type(error).__name__} {error}") from error


NO_ANSWER = {
    ua.StatusCodes.BadTimeout,
    ua.StatusCodes.BadConnectionClosed,
    ua.StatusCodes.BadSessionClosed,
    ua.StatusCodes.BadSessionIdInvalid,
    ua.StatusCodes.BadSecureChannelClosed,
    ua.StatusCodes.BadCommunicationError,
    ua.StatusCodes.BadRequestTimeout,
}
