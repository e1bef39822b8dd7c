"""Carry signed orders to the plants until stopped."""

import logging
import signal
import time
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connection

from audit import api as audit
from twin_core import outbox
from twin_core.connect.service import address
from twin_core.data import configuration, limits, status
from twin_core.lifecycle import trust
from twin_core.models import Equipment, OutboxTask, Recommendation
from twin_core.write_gate import service
from twin_core.write_gate.link import OpcUaLink

AWAY = (OperationalError, InterfaceError, psycopg.OperationalError)  # the record store
log = structlog.get_logger("gate")
LOOK_S = 0.5  # seconds between two looks when nothing wakes the gate
SETTLE_S = 2.0  # seconds between two readings of an unsettled write


class Command(BaseCommand):
    help = "Check, write and read back what people have signed; refuse everything else."
    stopped = False

    def handle(self, **options: Any) -> None:
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # breaks are told by the link
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        self.links: dict[str, OpcUaLink] = {}
        self.settled_at = 0.0
        while not self.stopped:
            try:
                with audit.acting(audit.process_actor()):
                    self.work()
            except AWAY as error:  # no record, no act
                log.warning("record store unavailable", error=str(error))
                connection.close()
                time.sleep(0.5)
        for link in self.links.values():
            link.close()

    def stop(self, *_: Any) -> None:
        self.stopped = True

    def work(self) -> None:
        connection.ensure_connection()
        driver = connection.connection
        driver.execute(f"LISTEN {outbox.CHANNEL}")
        while not self.stopped:
            self.keep_links()
            self.settle()
            while (task := outbox.lease(name="write")) is not None:
                self.carry_out(task)
            list(driver.notifies(timeout=LOOK_S, stop_after=1))

    def keep_links(self) -> None:
        """Hold a link with each asset that may be written or has a write to settle.

        The heartbeat goes on only where the trust allows writing: without it the controller falls
        back to its local automatic.
        """
        wanted = {
            equipment.tag: equipment
            for equipment in Equipment.objects.all()
            if trust.may_write(equipment.trust) or service.unsettled(equipment)
        }
        for tag in set(self.links) - set(wanted):
            self.links.pop(tag).close()
        for tag, equipment in wanted.items():
            self.keep_link(tag, equipment)
            if tag in self.links:
                self.links[tag].is_beating = trust.may_write(equipment.trust)

    def keep_link(self, tag: str, equipment: Equipment) -> None:
        name = f"gate {tag}"
        if tag not in self.links:
            try:
                tag_map = limits.tag_map(equipment)
            except (configuration.NotTheSignedFile, ValueError) as error:
                status.tell(name, "fault", str(error))
                return
            self.links[tag] = OpcUaLink(
                tag_map,
                endpoint=address(settings.DATA_DIR / "plants" / tag),
                certificates=settings.CERTIFICATES_DIR,
            )
        is_open = self.links[tag].is_open
        status.tell(name, "ready" if is_open else "waiting", "" if is_open else "no session")

    def settle(self) -> None:
        """Read what became of the writes whose end is not known."""
        if time.monotonic() - self.settled_at < SETTLE_S:
            return
        self.settled_at = time.monotonic()
        for tag, link in self.links.items():
            if link.is_open:
                for write in service.unsettled(Equipment.objects.get(tag=tag)):
                    try:
                        service.settle(write, link)
                    except service.LinkLost as error:
                        log.warning("not settled yet", write=str(write), error=str(error))
                    except AWAY:
                        raise
                    except Exception:  # one write that cannot be settled holds up no other
                        log.exception("cannot be settled", write=str(write))

    def carry_out(self, task: OutboxTask) -> None:
        """Carry out one order; what has to wait is given back."""
        recommendation = Recommendation.objects.select_related("batch__equipment").get(
            pk=task.content["recommendation"]
        )
        link = self.links.get(recommendation.batch.equipment.tag)
        try:
            service.carry_out(task, link or NoLink())
        except (service.LinkLost, service.NotSealedYet) as error:
            log.info("order waits", order=str(task), error=repr(error))
            outbox.give_back(task)
        except outbox.Overtaken as error:
            log.warning("overtaken", order=str(task), error=str(error))
        except AWAY:
            raise
        except Exception as error:  # kept with its input, tried again, then parked for a person
            log.exception("order failed", order=str(task))
            outbox.fail(task, f"{type(error).__name__}: {error}")


class NoLink:
    """An asset that the gate holds no session with."""

    def read(self, point: Any) -> dict[str, Any]:
        raise service.LinkLost("the asset's trust does not allow writing, or it has no session yet")

    def write(self, point: Any, value: float) -> None:
        raise service.LinkLost("no session")
