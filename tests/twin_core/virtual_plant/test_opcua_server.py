"""The plant over OPC UA: who may connect, who may write, and what is told."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from math import isnan, nan
from stat import S_IMODE

import pytest
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from twin_core.virtual_plant.address_space import NAMESPACE
from twin_core.virtual_plant.certificates import (
    CertificateFolderInvalid,
    ensure_identity,
    prepare,
    trust,
)
from twin_core.virtual_plant.opcua_server import LOCAL, REMOTE, PlantServer
from twin_core.virtual_plant.plant_config import PlantConfig

ASSET = "BR-7"
DOUBLE, COUNT = ua.VariantType.Double, ua.VariantType.UInt32


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    prepare(folder, [ASSET])
    ensure_identity(folder, "stranger", "urn:stranger")
    return folder


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Bench:
    """A plant server in this process, moved by hand, with clients of any name."""

    def __init__(self, folder, certificates, **changes):
        settings = {"speed": 3600.0, "first_seed": 21, "allow_faults": True, **changes}
        config = PlantConfig(ASSET, "simulated", folder, certificates, **settings)
        self.clock = Clock()
        self.server = PlantServer(config, clock=self.clock)
        self.folder, self.certificates = folder, certificates

    @asynccontextmanager
    async def client(self, name, *, secure=True, uri=None):
        url = (self.folder / "endpoint").read_text().strip()
        client = Client(url, timeout=10)
        client.application_uri = uri or f"urn:pharma-digital-twin:{name}"
        if secure:
            certificate, key = (self.certificates / f"{name}.{k}.pem" for k in ("cert", "key"))
            server = self.certificates / f"{ASSET}.cert.pem"
            await client.set_security(
                SecurityPolicyBasic256Sha256, certificate, key, server_certificate=server
            )
        async with client:
            client.index = await client.get_namespace_index(NAMESPACE)
            yield client

    def fault(self, *faults):
        (self.folder / "faults.json").write_text(json.dumps(faults))


def node(client, path):
    return client.get_node(ua.NodeId(f"{ASSET}/{path}", client.index))


async def put(client, path, value, kind=DOUBLE):
    await node(client, path).write_value(ua.DataValue(ua.Variant(value, kind)))


async def beat(client, count=[0]):  # noqa: B006 a counter over all tests is what is wanted
    count[0] += 1
    await put(client, "equipment/heartbeat", count[0], COUNT)


def play(scenario, folder, certificates, **changes):
    """Run ``scenario(bench)`` with the server up."""

    async def act():
        bench = Bench(folder, certificates, **changes)
        await bench.server.start()
        try:
            await bench.server.scan(0.0)
            return await asyncio.wait_for(scenario(bench), 60)
        finally:
            await bench.server.close()

    return asyncio.run(act())


class Listener:
    """Collects notifications of nodes by path."""

    def __init__(self):
        self.heard = {}

    def datachange_notification(self, node, value, data):
        path = str(node.nodeid.Identifier).removeprefix(f"{ASSET}/")
        self.heard.setdefault(path, []).append(data.monitored_item.Value)

    def status_change_notification(self, status):
        pass


@asynccontextmanager
async def listening(client, *paths):
    listener = Listener()
    subscription = await client.create_subscription(20, listener)
    trigger = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)
    nodes = [node(client, path) for path in paths]
    await subscription._subscribe(nodes, ua.AttributeIds.Value, trigger, queuesize=1000)
    yield listener
    await subscription.delete()


async def settle(until):
    for _ in range(200):
        if until():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("what was waited for did not come")


STRANGERS = [
    ("a certificate that is not listed", "stranger", True, None),
    ("no encryption", "connector", False, None),
    ("an application uri that is not the certificate's", "connector", True, "urn:somebody"),
]


@pytest.mark.requirement("URS-PLT-004")
def test_whom_no_list_names_is_refused(tmp_path, certificates):
    async def scenario(bench):
        for case, name, secure, uri in STRANGERS:
            with pytest.raises((ua.UaError, ConnectionError, asyncio.TimeoutError)):
                async with bench.client(name, secure=secure, uri=uri):
                    pytest.fail(f"{case} opened a session")
        async with bench.client("connector") as client:
            assert await node(client, "batch/state").read_value() == "running"

    play(scenario, tmp_path, certificates)


@pytest.mark.requirement("URS-PLT-004")
def test_only_signed_and_encrypted_endpoints_are_offered(tmp_path, certificates):
    async def scenario(bench):
        endpoints = await bench.server._server.get_endpoints()
        modes = {(e.SecurityPolicyUri.rpartition("#")[2], e.SecurityMode.name) for e in endpoints}
        assert modes == {("Basic256Sha256", "SignAndEncrypt")}

    play(scenario, tmp_path, certificates)


@pytest.mark.requirement("URS-PLT-005")
def test_the_connector_reads_everything_and_writes_nothing(tmp_path, certificates):
    async def scenario(bench):
        await bench.server.scan(1.0)
        async with bench.client("connector") as client:
            for path in ("setpoint/feed.rate", "command/harvest", "equipment/heartbeat"):
                kind = COUNT if "heartbeat" in path else DOUBLE
                with pytest.raises(ua.uaerrors.BadUserAccessDenied):
                    await put(client, path, 1, kind)
            assert await node(client, "online/ph").read_value() > 6
            access = ua.DataValue(ua.Variant(3, ua.VariantType.Byte))
            with pytest.raises(ua.uaerrors.BadUserAccessDenied):
                await node(client, "setpoint/feed.rate").write_attribute(
                    ua.AttributeIds.UserAccessLevel, access
                )
        assert bench.server.operation.held["feed.rate"] == 0.0
        assert bench.server.mode == LOCAL

    play(scenario, tmp_path, certificates)


@pytest.mark.requirement("URS-PLT-005")
def test_the_gate_writes_reads_back_and_the_plant_answers(tmp_path, certificates):
    async def scenario(bench):
        async with bench.client("gate") as client:
            await beat(client)
            await put(client, "setpoint/feed.rate", 6.0)
            await bench.server.scan(0.5)
            assert await node(client, "readback/feed.rate").read_value() == 6.0
            assert await node(client, "online/feed.flow").read_value() == pytest.approx(
                6.0, rel=0.1
            )
            await put(client, "command/harvest", 1.0)
            await bench.server.scan(0.5)
            assert await node(client, "batch/state").read_value() == "lost"

    play(scenario, tmp_path, certificates)


REFUSED_WRITES = [
    ("setpoint/feed.rate", 40.5, DOUBLE, "BadOutOfRange"),
    ("setpoint/feed.rate", -1.0, DOUBLE, "BadOutOfRange"),
    ("setpoint/feed.rate", nan, DOUBLE, "BadOutOfRange"),
    ("setpoint/feed.rate", 3, ua.VariantType.Int64, "BadTypeMismatch"),
    ("setpoint/feed.rate", "3", ua.VariantType.String, "BadTypeMismatch"),
    ("setpoint/feed.rate", [3.0], DOUBLE, "BadTypeMismatch"),
    ("readback/feed.rate", 3.0, DOUBLE, "BadNotWritable"),
    ("online/ph", 7.0, DOUBLE, "BadNotWritable"),
    ("batch/id", "X", ua.VariantType.String, "BadNotWritable"),
    ("command/harvest", 0.5, DOUBLE, "BadOutOfRange"),
]


@pytest.mark.requirement("URS-PLT-006")
def test_a_write_that_the_card_does_not_allow_is_refused_even_of_the_gate(tmp_path, certificates):
    async def scenario(bench):
        held = bench.server.operation.held
        async with bench.client("gate") as client:
            await beat(client)
            for path, value, kind, code in REFUSED_WRITES:
                with pytest.raises(getattr(ua.uaerrors, code)):
                    await put(client, path, value, kind)
        await bench.server.scan(1.0)
        assert bench.server.operation.held == held
        assert bench.server.operation.state == "running"

    play(scenario, tmp_path, certificates)


@pytest.mark.requirement("URS-PLT-006")
def test_an_interlocked_plant_refuses_the_gate_and_says_why(tmp_path, certificates):
    async def scenario(bench):
        (tmp_path / "operator" / "interlock").write_text("door open")
        await bench.server.scan(1.0)
        async with bench.client("gate") as client:
            await beat(client)
            with pytest.raises(ua.uaerrors.BadInvalidState):
                await put(client, "setpoint/feed.rate", 2.0)
            assert await node(client, "equipment/interlock_clear").read_value() is False
            assert await node(client, "equipment/interlock_reason").read_value() == "door open"
            (tmp_path / "operator" / "interlock").unlink()
            await bench.server.scan(1.0)
            await put(client, "setpoint/feed.rate", 2.0)

    play(scenario, tmp_path, certificates)


@pytest.mark.requirement("URS-PLT-011")
def test_a_silent_or_hung_gate_leaves_the_plant_to_local_control(tmp_path, certificates):
    async def scenario(bench):
        async with bench.client("gate") as client:
            with pytest.raises(ua.uaerrors.BadInvalidState):
                await put(client, "setpoint/feed.rate", 2.0)  # never heard of the gate
            await beat(client)
            await put(client, "setpoint/feed.rate", 2.0)
            await bench.server.scan(1.0)
            bench.clock.now += 14.0
            assert bench.server.mode == REMOTE
            bench.clock.now += 2.0
            await bench.server.scan(1.0)
            assert await node(client, "equipment/mode").read_value() == LOCAL
            with pytest.raises(ua.uaerrors.BadInvalidState):
                await put(client, "setpoint/feed.rate", 3.0)
            same = await node(client, "equipment/heartbeat").read_value()
            await put(client, "equipment/heartbeat", same, COUNT)
            assert bench.server.mode == LOCAL  # the same number again is a hung gate
            assert bench.server.operation.held["feed.rate"] == 2.0  # held, not thrown away
            await beat(client)
            await put(client, "setpoint/feed.rate", 3.0)

    play(scenario, tmp_path, certificates)


@pytest.mark.requirement("URS-PLT-007")
def test_no_laboratory_result_is_missed_by_a_listener_or_after_a_gap(tmp_path, certificates):
    async def scenario(bench):
        tags = ("glucose", "viability", "titer")
        paths = [f"laboratory/{tag}" for tag in tags]
        async with bench.client("connector") as client:
            async with listening(client, *paths) as listener:
                await bench.server.scan(27.0)  # five samplings in a single scan
                await settle(lambda: all(len(listener.heard.get(p, ())) == 6 for p in paths))
            heard = [json.loads(v.Value.Value) for p in paths for v in listener.heard[p][1:]]
            await bench.server.scan(12.0)  # nobody listens
            newest = await node(client, "laboratory/sequence").read_value()
            took = ua.Variant(0, ua.VariantType.Int64), ua.Variant(500, COUNT)
            texts = await node(client, "laboratory").call_method(
                node(client, "laboratory/results_since"), *took
            )
        everything = [json.loads(text) for text in texts]
        assert [r["sequence"] for r in everything] == list(range(1_000_001, newest + 1))
        assert all(result in everything for result in heard)
        first = next(r for r in everything if r["tag"] == "glucose")
        assert first["unit"] == "mM"
        assert first["batch_id"] == "BR-7-0001"
        assert first["sampled_h"] == 0.0
        assert 1.5 <= first["received_h"] <= 3.0

    play(scenario, tmp_path, certificates)


def test_values_of_one_minute_share_their_source_time_with_the_process_time(tmp_path, certificates):
    async def scenario(bench):
        paths = ("process_time", "online/ph", "online/temperature")
        async with bench.client("connector") as client, listening(client, *paths) as listener:
            for _ in range(4):
                await bench.server.scan(0.5)
            await settle(lambda: len(listener.heard.get("online/ph", [])) > 121)
        times = {p: [v.SourceTimestamp for v in listener.heard[p][1:]] for p in paths}
        assert len(times["online/ph"]) == 121  # the first notification is what was before
        assert times["online/ph"] == times["online/temperature"] == times["process_time"]
        assert times["online/ph"] == sorted(set(times["online/ph"]))
        hours = [v.Value.Value for v in listener.heard["process_time"]]
        assert hours[-1] == 2.0
        assert hours[1:] == sorted(set(hours[1:]))

    play(scenario, tmp_path, certificates)


def test_units_stand_beside_each_variable(tmp_path, certificates):
    async def scenario(bench):
        async with bench.client("connector") as client:
            for path, unit in (("online/ph", "pH"), ("laboratory/titer", "g/L")):
                shown = await node(client, f"{path}/EngineeringUnits").read_value()
                assert shown.DisplayName.Text == unit

    play(scenario, tmp_path, certificates)


FAULTS = [
    ("bad_quality", lambda v: v.StatusCode.name == "BadSensorFailure"),
    ("uncertain_quality", lambda v: v.StatusCode.name.startswith("Uncertain")),
    ("nan", lambda v: isnan(v.Value.Value) and v.StatusCode.is_good()),
    ("future_time", lambda v: v.SourceTimestamp.timestamp() > time.time() + 3000),
]


@pytest.mark.requirement("URS-PLT-012")
def test_a_fault_shows_on_its_tag_alone_and_ends_with_its_file(tmp_path, certificates):
    async def read(client, tag):
        return await node(client, f"online/{tag}").read_data_value(raise_on_bad_status=False)

    async def scenario(bench):
        async with bench.client("connector") as client:
            for kind, shows in FAULTS:
                bench.fault({"kind": kind, "tag": "ph"})
                await bench.server.scan(1.0)
                assert shows(await read(client, "ph")), kind
                assert not shows(await read(client, "temperature")), kind
                (tmp_path / "faults.json").unlink()
                await bench.server.scan(1.0)
                assert not shows(await read(client, "ph")), kind

    play(scenario, tmp_path, certificates)


@pytest.mark.requirement("URS-PLT-012")
def test_freeze_wrong_unit_duplicate_and_disorder_show_as_such(tmp_path, certificates):
    async def scenario(bench):
        bench.fault(
            {"kind": "freeze", "tag": "temperature"},
            {"kind": "wrong_unit", "tag": "volume", "unit": "gal"},
            {"kind": "out_of_order", "tag": "ph"},
            {"kind": "duplicate", "tag": "glucose"},
        )
        paths = ("online/temperature", "online/ph", "laboratory/glucose")
        async with bench.client("connector") as client, listening(client, *paths) as listener:
            await bench.server.scan(3.2)
            await settle(lambda: len(listener.heard.get("online/ph", [])) > 300)
            unit = await node(client, "online/volume/EngineeringUnits").read_value()
        frozen = {v.Value.Value for v in listener.heard["online/temperature"][1:]}
        assert len(frozen) == 1
        times = [v.SourceTimestamp for v in listener.heard["online/ph"][1:]]
        assert times != sorted(times)
        assert unit.DisplayName.Text == "gal"

    play(scenario, tmp_path, certificates)


@pytest.mark.requirement("URS-PLT-012")
def test_a_dropped_link_cuts_clients_and_the_plant_goes_on(tmp_path, certificates):
    async def scenario(bench):
        with pytest.raises((ua.UaError, ConnectionError, asyncio.TimeoutError)):
            async with bench.client("connector") as client:
                bench.fault({"kind": "drop_link"})
                await bench.server.scan(1.0)
                await node(client, "process_time").read_value()
        (tmp_path / "faults.json").unlink()
        await bench.server.scan(1.0)
        async with bench.client("connector") as client:
            assert await node(client, "process_time").read_value() == 2.0

    play(scenario, tmp_path, certificates)


@pytest.mark.requirement("URS-PLT-012")
def test_faults_are_ignored_unless_allowed_and_a_wrong_file_changes_nothing(tmp_path, certificates):
    async def scenario(bench):
        bench.fault({"kind": "nan", "tag": "ph"})
        await bench.server.scan(1.0)
        async with bench.client("connector") as client:
            assert await node(client, "online/ph").read_value() > 6

    play(scenario, tmp_path / "a", certificates, allow_faults=False)

    async def wrong(bench):
        for text in ("{", '[{"kind": "explode"}]', '[{"kind": "wrong_unit", "tag": "ph"}]'):
            (bench.folder / "faults.json").write_text(text)
            await bench.server.scan(1.0)
            assert bench.server._faults.active == ()

    play(wrong, tmp_path / "b", certificates)


@pytest.mark.requirement("URS-PLT-009")
def test_a_recorded_plant_has_no_node_that_can_be_written(tmp_path, certificates):
    rows = "batch_id,time_h,tag,value,unit,source,received_h\nX,0,viability,97,%,lab,2\n"
    (tmp_path / "samples.csv").write_text(rows)

    async def scenario(bench):
        await bench.server.scan(1.5)
        async with bench.client("gate") as client:
            for path in ("equipment/heartbeat", "laboratory/viability", "process_time"):
                with pytest.raises(ua.uaerrors.BadNotWritable):
                    await put(client, path, 1, COUNT)
            names = await node(client, "setpoint").get_children()
            assert names == []
            await bench.server.scan(1.0)
            text = await node(client, "laboratory/viability").read_value()
            assert json.loads(text)["value"] == 97.0

    async def act():
        bench = Bench(tmp_path / "state", certificates)
        settings = {"package": tmp_path, "batches": ("X",), "speed": 3600.0}
        config = PlantConfig(ASSET, "recorded", tmp_path / "state", certificates, **settings)
        bench.server = PlantServer(config, clock=bench.clock)
        await bench.server.start()
        try:
            await bench.server.scan(0.0)
            await scenario(bench)
        finally:
            await bench.server.close()

    asyncio.run(act())


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


@pytest.mark.requirement("URS-PLT-008")
def test_a_plant_process_killed_outright_goes_on_at_the_same_address(tmp_path, certificates):
    path, state = tmp_path / "plant.yaml", tmp_path / "state"
    path.write_text(
        f"asset: {ASSET}\nkind: simulated\nfolder: state\ncertificates: {certificates}\n"
        "speed: 3600\nfirst_seed: 31\nscan_s: 0.1\n"
    )
    bench = Bench(state, certificates)

    async def read():
        async with bench.client("connector") as client:
            names = ("process_time", "batch/id", "laboratory/sequence")
            return [await node(client, name).read_value() for name in names]

    async def wait_for_result():
        for _ in range(300):
            found = await read()
            if found[2] > 1_000_000:
                return found
            await asyncio.sleep(0.1)
        raise AssertionError("no laboratory result came")

    process = started(state, path)
    try:
        before = asyncio.run(wait_for_result())
        address = (state / "endpoint").read_text()
        second = subprocess.run(
            [sys.executable, "-m", "twin_core.virtual_plant", str(path)],
            capture_output=True,
            text=True,
        )
        assert second.returncode == 1
        assert "another plant process runs here" in second.stderr
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process = started(state, path)
        after = asyncio.run(read())
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert (state / "endpoint").read_text() == address
    assert after[1] == before[1] == "BR-7-0001"
    assert after[0] >= before[0]
    assert after[2] >= before[2]
