"""A plant process: one ``Operation`` shown over OPC UA, encrypted, to listed certificates only."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import isfinite, nan
from pathlib import Path
from time import monotonic
from typing import Any

from asyncua import Server, ua, uamethod

from twin_core.science.contracts import Sample
from twin_core.virtual_plant.access import GuardedWrites, TrustLists, status
from twin_core.virtual_plant.address_space import NAMESPACE, AddressSpace
from twin_core.virtual_plant.batch_run import Result
from twin_core.virtual_plant.certificates import URI_PREFIX, Identity, ensure_identity
from twin_core.virtual_plant.faults import Faults, FaultsUnreadable, Reading
from twin_core.virtual_plant.operation import Operation, Scan, WriteRefused
from twin_core.virtual_plant.operator_desk import OperatorDesk
from twin_core.virtual_plant.plant_config import PlantConfig

REMOTE, LOCAL = "remote", "local"
MOST_RESULTS = 500  # in one answer of results_since
log = logging.getLogger(__name__)


class PlantServer:
    """Runs the plant in scans and answers its clients. ``clock`` gives monotonic seconds."""

    def __init__(self, config: PlantConfig, *, clock: Callable[[], float] = monotonic) -> None:
        self.config, self._clock = config, clock
        self.operation = Operation(config)
        self._faults = Faults(config.folder / "faults.json", allowed=config.allow_faults)
        self._desk = OperatorDesk(config.folder / "operator")
        self._server: Server | None = None
        self._heard_at, self._beat = float("-inf"), 0
        self._shown: dict[str, Any] = {}
        self._last_at = datetime.fromtimestamp(0, UTC)

    @property
    def mode(self) -> str:
        """Return who leads: the gate while its heartbeat lasts, else the local controllers.

        Local control holds the last accepted set points and takes no write.
        """
        silent = self._clock() - self._heard_at
        return REMOTE if silent <= self.config.link_timeout_s else LOCAL

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set."""
        await self.start()
        try:
            before = self._clock()
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self.config.scan_s)
                now = self._clock()
                await self.scan(now - before)
                before = now
        finally:
            await self.close()

    async def start(self) -> None:
        """Open the endpoint and write its address to the file ``endpoint``."""
        trusted = TrustLists(self.config.certificates)
        server = self._server = Server(user_manager=trusted)
        await server.init()
        await self._secure(server, trusted)
        index = await server.register_namespace(NAMESPACE)
        self._space = AddressSpace(server, self.config.asset, index)
        await self._space.build(self.operation.card, self.operation.setpoints)
        takes, gives = [ua.VariantType.Int64, ua.VariantType.UInt32], [ua.VariantType.String]
        await self._space.add_method("laboratory/results_since", self._results_since, takes, gives)
        server.iserver.attribute_service = GuardedWrites(server.iserver.aspace, self._write)
        now = datetime.now(UTC)
        await self._show_state(now)
        await self._space.show("process_time", self.operation.time_h, now)
        endpoint = self._endpoint()
        server.set_endpoint(endpoint)
        await server.start()
        (self.config.folder / "endpoint").write_text(endpoint + "\n", encoding="utf-8")
        log.info("%s serves %s", self.config.asset, endpoint)

    async def close(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None
        self.operation.close()

    async def scan(self, elapsed_s: float) -> None:
        """Let wall time pass: obey the operator, move the plant, show what became known."""
        now = datetime.now(UTC)
        try:
            self._faults.refresh()
        except FaultsUnreadable as error:
            log.error("%s", error)
        self._desk.obey(self.operation)
        scan = self.operation.scan(elapsed_s, forced_interlock=self._desk.interlock())
        await self._show_state(now)
        await self._show_samples(scan, now)
        for result in scan.results:
            await self._show_result(result, now)
        if self._faults.link_dropped:
            self._cut_links()

    def _identity(self) -> Identity:
        asset = self.config.asset
        return ensure_identity(self.config.certificates, asset, f"{URI_PREFIX}:plant:{asset}")

    async def _secure(self, server: Server, trusted: TrustLists) -> None:
        """Offer Basic256Sha256, signed and encrypted, and nothing else."""
        identity = self._identity()
        await server.set_application_uri(identity.uri)
        server.set_server_name(f"{self.config.asset} ({self.config.kind})")
        await server.load_certificate(identity.certificate)
        await server.load_private_key(identity.key)
        server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
        server.set_identity_tokens([ua.AnonymousIdentityToken])  # the channel's certificate counts
        server.set_certificate_validator(trusted.validate)

    def _endpoint(self) -> str:
        return f"opc.tcp://localhost:{self.config.port or free_port(self.config.folder)}/"

    async def _write(self, node: ua.NodeId, value: ua.DataValue, name: str) -> ua.StatusCode:
        """Judge a write of a listed writer; the answer is the status that the writer reads."""
        path = self._space.path_of(node)
        try:
            number = self._checked(path, value)
            if path == "equipment/heartbeat":
                await self._beat_heard(int(number))
            else:
                await self._set(path, number, name)
        except WriteRefused as refusal:
            log.warning("write of %s by %s refused: %s", path or node, name, refusal)
            return status(getattr(ua.StatusCodes, refusal.code))
        return status(ua.StatusCodes.Good)

    def _checked(self, path: str, value: ua.DataValue) -> float:
        place = path.partition("/")[0]
        writable = place in ("setpoint", "command") or path == "equipment/heartbeat"
        if not writable or (path == "equipment/heartbeat" and not self.operation.setpoints):
            raise WriteRefused("BadNotWritable", "this node cannot be written")
        variant = value.Value
        if variant is None or variant.VariantType != self._space.type_of(path) or variant.is_array:
            raise WriteRefused("BadTypeMismatch", f"{path} takes {self._space.type_of(path).name}")
        if value.StatusCode is not None and not value.StatusCode.is_good():
            raise WriteRefused("BadWriteNotSupported", "only good values are taken")
        if not isfinite(variant.Value):
            raise WriteRefused("BadOutOfRange", f"{variant.Value} is not a finite number")
        return variant.Value

    async def _set(self, path: str, number: float, name: str) -> None:
        if self.mode != REMOTE:
            raise WriteRefused("BadInvalidState", "local control: the gate's heartbeat is missing")
        self.operation.write(path.partition("/")[2], number, by=name)
        await self._space.show(path, number, datetime.now(UTC))

    async def _beat_heard(self, beat: int) -> None:
        """A heartbeat is a number that changes; the same number again is a hung gate."""
        if beat != self._beat:
            self._heard_at, self._beat = self._clock(), beat
        await self._space.show("equipment/heartbeat", beat, datetime.now(UTC))

    async def _show_state(self, now: datetime) -> None:
        operation = self.operation
        await self._show_changed("batch/id", operation.batch_id, now)
        await self._show_changed("batch/state", operation.state, now)
        await self._show_changed("equipment/mode", self.mode, now)
        await self._show_changed("equipment/interlock_clear", not operation.interlock, now)
        await self._show_changed("equipment/interlock_reason", operation.interlock, now)
        await self._show_changed("laboratory/sequence", operation.last_sequence, now)
        for point in operation.setpoints:
            if point.kind == "hold":
                value = operation.held[point.tag]
                await self._show_changed(f"readback/{point.tag}", value, now)

    async def _show_changed(self, path: str, value: Any, now: datetime) -> None:
        if self._shown.get(path) != value:
            self._shown[path] = value
            await self._space.show(path, value, now)

    async def _show_samples(self, scan: Scan, now: datetime) -> None:
        """Show values minute by minute: process time first, all of a minute with one time."""
        shown, at = None, now
        for sample in scan.samples:
            if sample.source == "readback":
                continue  # shown with the state: what is held now
            if sample.time_h != shown:
                shown = sample.time_h
                at = self._after_last(now, scan.time_h - shown)
                await self._space.show("process_time", shown, at)
            await self._show_online(sample, at)
        if shown != scan.time_h:
            await self._space.show("process_time", scan.time_h, now)

    def _after_last(self, now: datetime, before_h: float) -> datetime:
        """Return the wall time of a minute ``before_h`` before ``now``, after that of the last.

        Scans are not evenly spaced to the millisecond: a small step back is evened out, a real
        step of the clock is shown as it is.
        """
        at = now - timedelta(hours=before_h / self.config.speed)
        behind = self._last_at - at
        if timedelta(0) <= behind < timedelta(seconds=1):
            at = self._last_at + timedelta(microseconds=10)
        self._last_at = at
        return at

    async def _show_online(self, sample: Sample, at: datetime) -> None:
        path, told = f"online/{sample.tag}", self._faults
        await self._space.show_unit(path, told.unit(sample.tag, sample.unit))
        reading = Reading(sample.tag, sample.value, sample.unit, sample.quality, at)
        for spoilt in told.told(reading):
            await self._space.show(path, spoilt.value, spoilt.at, quality=spoilt.quality)

    async def _show_result(self, result: Result, now: datetime) -> None:
        """Show a laboratory result: a document with its sequence, sampling and receipt time."""
        sample = result.sample
        reading = Reading(sample.tag, sample.value, sample.unit, sample.quality, now)
        for spoilt in self._faults.told(reading):
            value = nan if spoilt.quality == "bad" else spoilt.value
            told = Sample(
                sample.time_h, sample.tag, value, spoilt.unit, sample.received_h,
                quality=spoilt.quality, source="lab",
            )  # fmt: skip
            text = Result(result.sequence, result.batch_id, told).document()
            await self._space.show(f"laboratory/{sample.tag}", text, spoilt.at)

    @uamethod
    def _results_since(self, parent: ua.NodeId, sequence: int, limit: int) -> ua.Variant:
        """Return the results after ``sequence``, oldest first, untouched by faults."""
        results = self.operation.results_since(sequence, min(limit, MOST_RESULTS))
        documents = [result.document() for result in results]
        return ua.Variant(documents, ua.VariantType.String, is_array=True)  # an empty list too

    def _cut_links(self) -> None:
        if self._server is not None and self._server.bserver is not None:
            for client in list(self._server.bserver.clients):
                if client.transport is not None:
                    client.transport.abort()


def free_port(folder: Path) -> int:
    """Return the port of the last start when it is free, else any free one."""
    wanted = [0]
    with contextlib.suppress(OSError, ValueError):
        before = (folder / "endpoint").read_text(encoding="utf-8")
        wanted.insert(0, int(before.strip().rstrip("/").rpartition(":")[2]))
    for port in wanted:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise OSError("no free port")
