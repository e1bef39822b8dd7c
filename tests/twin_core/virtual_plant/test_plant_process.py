"""The plant as a process of its own, and its certificates."""

import asyncio
import os
import signal
import subprocess
import sys
from stat import S_IMODE

import pytest

from tests.twin_core.virtual_plant.bench import ASSET, Bench, node
from twin_core.virtual_plant.certificates import CertificateFolderInvalid, prepare, trust
from twin_core.virtual_plant.opcua_server import PlantServer
from twin_core.virtual_plant.plant_config import PlantConfig


@pytest.mark.requirement("URS-PLT-004")
def test_keys_are_for_their_owner_alone_and_are_not_made_twice(tmp_path):
    prepare(tmp_path, ["BR-1"])
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.pem")}
    assert {S_IMODE(path.stat().st_mode) for path in tmp_path.glob("*.key.pem")} == {0o600}
    prepare(tmp_path, ["BR-1"])
    assert before == {path.name: path.read_bytes() for path in tmp_path.glob("*.pem")}
    (tmp_path / "gate.key.pem").unlink()
    with pytest.raises(CertificateFolderInvalid, match="gate has a certificate or a key"):
        prepare(tmp_path, ["BR-1"])


@pytest.mark.requirement("URS-PLT-005")
def test_a_certificate_in_both_lists_or_no_certificate_stops_the_start(tmp_path, certificates):
    for name in ("connector", "gate"):
        trust(certificates / f"{name}.cert.pem", tmp_path / "trusted/readers")
    trust(certificates / "gate.cert.pem", tmp_path / "trusted/writers")
    config = PlantConfig(ASSET, "simulated", tmp_path / "state", tmp_path)
    with pytest.raises(CertificateFolderInvalid, match="in both lists"):
        asyncio.run(PlantServer(config).start())
    (tmp_path / "trusted/readers/gate.cert.pem").write_text("not a certificate")
    with pytest.raises(CertificateFolderInvalid, match=r"gate\.cert\.pem: is no certificate"):
        asyncio.run(PlantServer(config).start())


def started(folder, path, *options):
    process = subprocess.Popen(
        [sys.executable, "-m", "twin_core.virtual_plant", str(path), *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if "serves" in line:
            return process
    raise AssertionError(f"the plant did not start: {process.wait()}")


async def read(bench):
    async with bench.client("connector") as client:
        names = ("process_time", "batch/id", "laboratory/sequence")
        return [await node(client, name).read_value() for name in names]


async def read_after_a_result(bench):
    for _ in range(300):
        found = await read(bench)
        if found[2] > 1_000_000:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("no laboratory result came")


def refuses_a_second(path):
    command = [sys.executable, "-m", "twin_core.virtual_plant", str(path)]
    second = subprocess.run(command, capture_output=True, text=True)
    return second.returncode == 1 and "another plant process runs here" in second.stderr


@pytest.mark.requirement("URS-PLT-008")
def test_a_plant_process_killed_outright_goes_on_at_the_same_address(tmp_path, certificates):
    path, state = tmp_path / "plant.yaml", tmp_path / "state"
    path.write_text(
        f"asset: {ASSET}\nkind: simulated\nfolder: state\ncertificates: {certificates}\n"
        "speed: 3600\nfirst_seed: 31\nscan_s: 0.1\n"
    )
    bench = Bench(state, certificates)
    process = started(state, path)
    try:
        before = asyncio.run(read_after_a_result(bench))
        address = (state / "endpoint").read_text()
        assert refuses_a_second(path)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process = started(state, path)
        after = asyncio.run(read(bench))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert (state / "endpoint").read_text() == address
    assert after[1] == before[1] == "BR-7-0001"
    assert after[0] >= before[0]
    assert after[2] >= before[2]
