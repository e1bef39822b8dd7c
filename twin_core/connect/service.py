"""Follow one plant for ever: connect, take over, seal; a broken link is a record and a retry."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from time import monotonic

import structlog
from asgiref.sync import sync_to_async
from asyncua import ua
from django.db import OperationalError, connection

from audit import api as audit
from twin_core.connect.intake import Intake
from twin_core.connect.opcua import Subscription, Window
from twin_core.data import laboratory, segments, status
from twin_core.data.clock import process_now
from twin_core.models import Batch

log = structlog.get_logger("connector")
BROKEN = (OSError, ua.UaError, TimeoutError, asyncio.TimeoutError)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things happen. ``every_s`` and ``seal_s`` in seconds, ``estimate_h`` process."""

    every_s: float = 1.0
    seal_s: float = 30.0
    estimate_h: Decimal = Decimal(6)


class Follower:
    """Follows one plant until stopped."""

    def __init__(
        self, intake: Intake, *, endpoint: Callable[[], str], certificates: Path, pace: Pace
    ) -> None:
        self.intake, self.endpoint, self.certificates = intake, endpoint, certificates
        self.pace, self.stopped = pace, asyncio.Event()
        self.name = f"connector {intake.equipment.tag}"
        self.sequence, self.sealed_at, self.was_linked = 0, monotonic(), False

    async def run(self) -> None:
        """Connect and follow; go on after every break."""
        wait = 0.5
        while not self.stopped.is_set():
            try:
                await self._follow()
            except BROKEN as error:
                await self._lost(f"{type(error).__name__}: {error}")
            except OperationalError as error:  # the store went away: what came is asked for again
                log.warning("record store unavailable", asset=self.name, error=str(error))
                await sync_to_async(connection.close)()
            await asyncio.sleep(wait)

    async def _follow(self) -> None:
        subscription = Subscription(
            self.intake.map,
            endpoint=self.endpoint(),
            certificates=self.certificates,
            after=self.sequence,
            every_s=self.pace.every_s,
        )
        async for window in subscription.windows():
            if not self.was_linked:
                await self._linked()
            await sync_to_async(self._take)(window)
            self.sequence = subscription.sequence
            if self.stopped.is_set():
                return

    def _take(self, window: Window) -> None:
        with audit.acting(audit.process_actor()):
            batch = self.intake.take(window)
            if batch is not None and monotonic() - self.sealed_at >= self.pace.seal_s:
                segments.seal(batch)
                self.sealed_at = monotonic()
            if batch is not None:
                self._ask(batch)
            status.tell(self.name, "ready")

    def _ask(self, batch: Batch) -> None:
        """Ask for an estimate at each mark of process time; the laboratory asks for its own."""
        now = process_now(batch)
        mark = now - now % self.pace.estimate_h
        if mark > 0:
            laboratory.ask_for_estimate(batch, at_h=mark)

    async def _linked(self) -> None:
        self.was_linked = True
        await sync_to_async(self._note)("linked", None)

    async def _lost(self, why: str) -> None:
        if self.was_linked:
            self.was_linked = False
            await sync_to_async(self._note)("lost", why)
        else:
            await sync_to_async(self._waiting)(why)

    def _note(self, what: str, why: str | None) -> None:
        """A gap in the data is a fact: both its ends are records."""
        equipment = self.intake.equipment
        try:
            audit.append_alone(
                stream=f"equipment/{equipment.tag}",
                kind=f"twin_core.plant_link.{what}",
                actor=audit.process_actor(),
                reason=why,
            )
            status.tell(self.name, "ready" if what == "linked" else "waiting", why or "")
        except OperationalError as error:
            log.warning("record store unavailable", asset=self.name, error=str(error))
            connection.close()

    def _waiting(self, why: str) -> None:
        try:
            status.tell(self.name, "waiting", f"the plant does not answer: {why}")
        except OperationalError:
            connection.close()


def address(folder: Path) -> Callable[[], str]:
    """Return a function that reads a plant's present address; OSError while there is none."""
    return lambda: (folder / "endpoint").read_text(encoding="utf-8").strip()


def as_pace(every_s: float, seal_s: float, estimate_h: float) -> Pace:
    return Pace(every_s, min(seal_s, 60.0), Decimal(str(estimate_h)))
