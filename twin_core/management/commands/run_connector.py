"""Follow the plants of all assets until stopped."""

import asyncio
import logging
import signal
from typing import Any

import structlog
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, connection

from audit import api as audit
from twin_core.connect import service
from twin_core.connect.intake import Intake
from twin_core.data import configuration, limits, status
from twin_core.data.quarantine import stream
from twin_core.models import Equipment
from twin_core.science.tag_map import TagMap

log = structlog.get_logger("connector")
LOOK_S = 5.0  # seconds between two looks for assets that can be followed by now


class Command(BaseCommand):
    help = "Read what the plants say over OPC UA: samples, laboratory results, batches."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--asset", action="append", help="follow only this asset; repeatable")

    def handle(self, **options: Any) -> None:
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # breaks are told by the follower
        asyncio.run(self.follow(options["asset"]))

    async def follow(self, only: list[str] | None) -> None:
        """Follow every asset whose signed tag map can be read, and look for more now and then."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        followers: dict[str, tuple[service.Follower, asyncio.Task[None]]] = {}
        told: dict[str, str] = {}
        while not stop.is_set():
            for equipment, tag_map in await sync_to_async(followable)(only, told):
                if equipment.tag not in followers:
                    follower = service.Follower(
                        Intake(equipment, tag_map, is_simulated=tag_map.origin == "simulated"),
                        endpoint=service.address(settings.DATA_DIR / "plants" / equipment.tag),
                        certificates=settings.CERTIFICATES_DIR,
                        pace=service.as_pace(
                            settings.CONNECTOR_EVERY_S,
                            settings.SEAL_SEGMENTS_S,
                            settings.ESTIMATE_EVERY_H,
                        ),
                    )
                    followers[equipment.tag] = (follower, asyncio.create_task(follower.run()))
            self._raise_if_ended(followers)
            await _wait(stop, LOOK_S)
        for follower, task in followers.values():
            follower.stopped.set()
            task.cancel()
        await asyncio.gather(*(task for _, task in followers.values()), return_exceptions=True)

    def _raise_if_ended(self, followers: dict[str, Any]) -> None:
        """A follower never ends by itself: one that did has met a fault of ours."""
        for _, task in followers.values():
            if task.done():
                task.result()


def followable(only: list[str] | None, told: dict[str, str]) -> list[tuple[Equipment, TagMap]]:
    """Return the assets whose signed tag map can be read; record once why one cannot."""
    found = []
    try:
        for equipment in Equipment.objects.order_by("tag"):
            if only and equipment.tag not in only:
                continue
            try:
                found.append((equipment, limits.tag_map(equipment)))
            except (configuration.NotTheSignedFile, ValueError) as error:
                _tell_once(equipment, str(error), told)
    except OperationalError as error:
        log.warning("record store unavailable", error=str(error))
        connection.close()
    return found


def _tell_once(equipment: Equipment, reason: str, told: dict[str, str]) -> None:
    status.tell(f"connector {equipment.tag}", "fault", reason)
    if told.get(equipment.tag) != reason:
        told[equipment.tag] = reason
        audit.append_alone(
            stream=stream(equipment), kind="twin_core.tag_map.refused", reason=reason
        )


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
