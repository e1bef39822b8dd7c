"""A live plant for tests: the real server in a thread of its own, to be stopped and spoilt."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from twin_core.virtual_plant.certificates import prepare
from twin_core.virtual_plant.opcua_server import PlantServer
from twin_core.virtual_plant.plant_config import PlantConfig

PATIENCE = 60.0  # seconds after which a test gives up; nothing is measured by it


def eventually(condition: Callable[[], Any], *, every: float = 0.1) -> Any:
    """Return the condition's first true answer."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(every)
    return found


class LivePlant:
    """BR-201 as a process would serve it; ``speed`` is process time over wall time."""

    def __init__(self, folder: Path, *, asset: str = "BR-201", **changes: Any) -> None:
        self.folder, self.certificates = folder / "plant", folder / "certificates"
        prepare(self.certificates, [asset])
        settings = {
            "speed": 3600.0,
            "first_seed": 21,
            "scan_s": 0.1,
            "online_every_h": 0.25,
            "allow_faults": True,
            **changes,
        }
        self.config = PlantConfig(asset, "simulated", self.folder, self.certificates, **settings)
        self._thread: Thread | None = None

    def start(self) -> None:
        """Serve; the second time the plant goes on where it stopped."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "endpoint").unlink(missing_ok=True)
        self._loop, self._stop, failed = asyncio.new_event_loop(), asyncio.Event(), Event()

        def run() -> None:
            try:
                self._loop.run_until_complete(self._serve())
            finally:
                failed.set()

        self._thread = Thread(target=run, daemon=True)
        self._thread.start()
        eventually(lambda: failed.is_set() or (self.folder / "endpoint").exists())
        assert not failed.is_set(), "the plant did not start"

    async def _serve(self) -> None:
        self.server = PlantServer(self.config)
        await self.server.run(self._stop)

    def stop(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout=PATIENCE)
            self._thread = None

    def endpoint(self) -> str:
        return (self.folder / "endpoint").read_text().strip()

    def spoil(self, *faults: dict[str, str]) -> None:
        """Switch faults on, and all others off."""
        (self.folder / "faults.json").write_text(json.dumps(faults))

    def results(self) -> list[tuple[str, float]]:
        """Return (tag, sampling time) of every laboratory result that the plant has told."""
        told = self.server.operation.results_since(0, 10_000)
        return [(result.sample.tag, result.sample.time_h) for result in told]


@contextmanager
def running(folder: Path, **changes: Any) -> Iterator[LivePlant]:
    plant = LivePlant(folder, **changes)
    plant.start()
    try:
        yield plant
    finally:
        plant.stop()
