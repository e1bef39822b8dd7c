"""One approved, sealed order and a plant to play with: what the gate's tests stand on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from django.utils import timezone

from audit import api as audit
from tests.services import TestServices, django_on
from tests.twin_core import factories
from twin_core import outbox
from twin_core.insight import recommendations, standing
from twin_core.models import OutboxTask, Recommendation, SetpointWrite
from twin_core.write_gate import service


class Killed(BaseException):
    """The gate's process ends here: nothing catches it."""


@dataclass
class FakeLink:
    """A plant that does what it is told, and fails where the test wants it to.

    ``faults`` maps a moment (``before write``, ``after write``, ``read 1``, ``read 2`` ...) to
    what is raised then, once.
    """

    batch: str
    process_h: float = 168.0
    held: float = 6.4
    mode: str = "remote"
    interlock_clear: bool | None = True
    faults: dict[str, BaseException] = field(default_factory=dict)
    written: list[float] = field(default_factory=list)
    reads: int = 0

    def read(self, point: Any) -> dict[str, Any]:
        self.reads += 1
        self._fail(f"read {self.reads}")
        return {
            "process_h": self.process_h,
            "batch": self.batch,
            "mode": self.mode,
            "interlock_clear": self.interlock_clear,
            "held": self.held,
        }

    def write(self, point: Any, value: float) -> None:
        self._fail("before write")
        self.written.append(value)
        self.held = value
        self._fail("after write")

    def _fail(self, moment: str) -> None:
        if (error := self.faults.pop(moment, None)) is not None:
            raise error


@dataclass
class Bench:
    """An order for BR-201, what may be done with it, and the ledger it lies in."""

    ledger: Any
    services: TestServices
    site: factories.Site
    order: Recommendation
    link: FakeLink

    @contextmanager
    def as_gate(self) -> Iterator[None]:
        """Act with the rights of the gate's own database role."""
        url = urlsplit(self.services.environment(self.ledger.name)["TWIN_GATE_DATABASE_URL"])
        login = {"USER": unquote(url.username or ""), "PASSWORD": unquote(url.password or "")}
        with django_on(self.ledger.name, **login), audit.acting(audit.process_actor()):
            yield

    def lease(self) -> OutboxTask | None:
        """Take the order as a gate does that starts after the last lease has run out."""
        OutboxTask.objects.filter(name="write").update(
            lease_until=timezone.now() - timedelta(seconds=1)
        )
        return outbox.lease(name="write")

    def gate(self) -> SetpointWrite | None:
        """One life of the gate: carry the order out if it is there, settle what is open."""
        with self.as_gate():
            if (task := self.lease()) is not None:
                service.carry_out(task, self.link)
            for write in service.unsettled(self.order.batch.equipment):
                service.settle(write, self.link)
        return self.write()

    def write(self) -> SetpointWrite | None:
        return SetpointWrite.objects.filter(recommendation=self.order).first()

    def state(self) -> str:
        return Recommendation.objects.get(pk=self.order.pk).state

    def kinds(self) -> list[str]:
        """Return what the batch's stream tells of orders and writes, in order."""
        rows = audit.Record.objects.filter(stream=f"batch/{self.order.batch.number}")
        names = rows.order_by("id").values_list("kind", flat=True)
        return [name for name in names if "setpoint_write" in name or "order" in name]

    def last_reason(self) -> str:
        rows = audit.Record.objects.filter(stream=f"batch/{self.order.batch.number}")
        return audit.content(rows.order_by("id").last())["reason"]


def approved(made: factories.Site, order: Recommendation, who: str = "reviewer") -> Recommendation:
    """Return the order with a signature that approves it."""
    signer = made.user(who)
    return recommendations.approve(
        order.pk,
        signer=signer,
        proof=factories.proved(signer),
        reason="limits and trend agree",
        shown=audit.view_digest(standing.view(order)),
    )


def bench(services: TestServices, ledger: Any, *, sealed: bool = True, sign: bool = True) -> Bench:
    made = factories.site("BR-201")
    batch = factories.batch(made, until_h=168.0, every_h=48.0)
    order = factories.recommendation(made, factories.forecast(made, batch))
    if sign:
        order = approved(made, order)
    if sealed:
        ledger.seal()
    return Bench(ledger, services, made, order, FakeLink(batch.plant_batch))
