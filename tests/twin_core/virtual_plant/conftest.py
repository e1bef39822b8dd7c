import asyncio

import pytest

from tests.twin_core.virtual_plant.bench import ASSET, PATIENCE, Bench
from twin_core.virtual_plant.certificates import ensure_identity, prepare


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Certificates of plant, connector and gate, and of a stranger whom no list names."""
    folder = tmp_path_factory.mktemp("certificates")
    prepare(folder, [ASSET])
    ensure_identity(folder, "stranger", "urn:stranger")
    return folder


@pytest.fixture(scope="module")
def shared(tmp_path_factory, certificates):
    """Run scenarios one after the other on one server, which takes seconds to start."""
    with asyncio.Runner() as runner:
        bench = Bench(tmp_path_factory.mktemp("plant"), certificates)
        runner.run(bench.start())
        yield lambda scenario: runner.run(asyncio.wait_for(scenario(bench), PATIENCE))
        runner.run(bench.server.close())
