"""Run one plant as a process: ``python -m twin_core.virtual_plant plant.yaml [options]``."""

import argparse
import asyncio
import fcntl
import logging
import os
import signal
import sys
from pathlib import Path

from twin_core.virtual_plant.certificates import CertificateFolderInvalid
from twin_core.virtual_plant.journal import JournalBroken
from twin_core.virtual_plant.opcua_server import PlantServer
from twin_core.virtual_plant.plant_config import PlantConfig, PlantConfigInvalid, load_config
from twin_core.virtual_plant.recorded import PackageUnreadable

REFUSALS = (CertificateFolderInvalid, JournalBroken, PackageUnreadable, PlantConfigInvalid, OSError)


def parse(arguments: list[str]) -> PlantConfig:
    parser = argparse.ArgumentParser(prog="python -m twin_core.virtual_plant", description=__doc__)
    parser.add_argument("config", type=Path, help="plant.yaml; its keys stand in plant_config.py")
    parser.add_argument("--folder", help="where the plant keeps its state")
    parser.add_argument("--certificates", help="folder of certificates and lists of trust")
    parser.add_argument("--port", type=int, help="0 takes a free one")
    parser.add_argument("--speed", type=float, help="process time over wall time")
    parser.add_argument("--first-seed", type=int, help="seed of the first batch")
    options = vars(parser.parse_args(arguments))
    return load_config(options.pop("config"), **options)


async def serve(config: PlantConfig) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_, stop.set)
    await PlantServer(config).run(stop)


def lock(folder: Path) -> int:
    """Hold the folder for this process alone, until it ends; OSError when another holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise OSError(f"{folder}: another plant process runs here") from None
    return handle


def main(arguments: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("asyncua").setLevel(logging.WARNING)
    try:
        config = parse(arguments)
        lock(config.folder)
        asyncio.run(serve(config))
    except REFUSALS as error:
        print(f"the plant does not start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
