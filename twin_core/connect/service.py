"""Follow one plant for ever: connect, take over, seal; a broken link is a record and a retry."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from time import monotonic

import structlog
from asgiref.sync import sync_to_async
from asyncua import ua
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from audit import api as audit
from twin_core.connect.intake import Intake
from twin_core.connect.opcua import Subscription, Window
from twin_core.data import laboratory, segments, status
from twin_core.data.clock import process_now
from twin_core.models import Batch

log = structlog.get_logger("connector")
AGAIN_S = 0.5  # seconds before a broken link or an absent record store is tried again
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
        self.unsaid: list[tuple[str, str | None, datetime]] = []

    async def run(self) -> None:
        """Connect and follow; go on after every break."""
        while not self.stopped.is_set():
            try:
                await self._follow()
            except BROKEN as error:
                await self._lost(f"{type(error).__name__}: {error}")
            await asyncio.sleep(AGAIN_S)

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
            await self._keep(window)
            self.sequence = subscription.sequence
            if self.stopped.is_set():
                return

    async def _keep(self, window: Window) -> None:
        """Take a window over; while the record store is away it is held and tried again."""
        while not self.stopped.is_set():
            try:
                await sync_to_async(self._take)(window)
                return
            except (OperationalError, InterfaceError) as error:
                log.warning("record store unavailable", asset=self.name, error=str(error))
                await sync_to_async(connection.close)()
                await asyncio.sleep(AGAIN_S)

    def _take(self, window: Window) -> None:
        self._say()
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
        await self._note("linked", None)

    async def _lost(self, why: str) -> None:
        if self.was_linked:
            self.was_linked = False
            await self._note("lost", why)
        else:
            await sync_to_async(self._waiting)(why)

    async def _note(self, what: str, why: str | None) -> None:
        """A gap in the data is a fact: both its ends are records, late ones too."""
        self.unsaid.append((what, why, timezone.now()))
        await sync_to_async(self._say)()

    def _say(self) -> None:
        """Record what has not been recorded yet, in order; what cannot be stays for later."""
        while self.unsaid:
            what, why, at = self.unsaid[0]
            try:
                audit.append_alone(
                    stream=f"equipment/{self.intake.equipment.tag}",
                    kind=f"twin_core.plant_link.{what}",
                    actor=audit.process_actor(),
                    reason=why,
                    occurred_at=at,
                )
                status.tell(self.name, "ready" if what == "linked" else "waiting", why or "")
            except (OperationalError, InterfaceError) as error:
                log.warning("record store unavailable", asset=self.name, error=str(error))
                connection.close()
                return
            self.unsaid.pop(0)

    def _waiting(self, why: str) -> None:
        try:
            status.tell(self.name, "waiting", f"the plant does not answer: {why}")
        except (OperationalError, InterfaceError):
            connection.close()


def address(folder: Path) -> Callable[[], str]:
    """Return a function that reads a plant's present address; OSError while there is none."""
    return lambda: (folder / "endpoint").read_text(encoding="utf-8").strip()


def as_pace(every_s: float, seal_s: float, estimate_h: float) -> Pace:
    return Pace(every_s, min(seal_s, 60.0), Decimal(str(estimate_h)))
