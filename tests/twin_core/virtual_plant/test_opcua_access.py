"""The plant over OPC UA: who may connect, who may write, and what is refused."""

import json
from math import nan

import pytest
from asyncua import ua

from tests.twin_core.virtual_plant.bench import COUNT, DOUBLE, REFUSALS, node, play, put
from twin_core.virtual_plant.opcua_server import LOCAL, REMOTE

STRANGERS = [
    ("a certificate that is not listed", "stranger", True, None),
    ("no encryption", "connector", False, None),
    ("an application uri that is not the certificate's", "connector", True, "urn:somebody"),
]


@pytest.mark.requirement("URS-PLT-004")
def test_whom_no_list_names_is_refused(shared):
    async def scenario(bench):
        for case, name, secure, uri in STRANGERS:
            with pytest.raises(REFUSALS):
                async with bench.client(name, secure=secure, uri=uri):
                    pytest.fail(f"{case} opened a session")
        async with bench.client("connector") as client:
            assert await node(client, "batch/state").read_value() == "running"

    shared(scenario)


@pytest.mark.requirement("URS-PLT-004")
def test_only_signed_and_encrypted_endpoints_are_offered(shared):
    async def scenario(bench):
        endpoints = await bench.server._server.get_endpoints()
        modes = {(e.SecurityPolicyUri.rpartition("#")[2], e.SecurityMode.name) for e in endpoints}
        assert modes == {("Basic256Sha256", "SignAndEncrypt")}

    shared(scenario)


@pytest.mark.requirement("URS-PLT-005")
def test_the_connector_reads_everything_and_writes_nothing(shared):
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

    shared(scenario)


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
def test_a_write_that_the_card_does_not_allow_is_refused_even_of_the_gate(shared):
    async def scenario(bench):
        held = bench.server.operation.held
        async with bench.client("gate") as client:
            await bench.beat(client)
            for path, value, kind, code in REFUSED_WRITES:
                with pytest.raises(getattr(ua.uaerrors, code)):
                    await put(client, path, value, kind)
        await bench.server.scan(1.0)
        assert bench.server.operation.held == held
        assert bench.server.operation.state == "running"

    shared(scenario)


@pytest.mark.requirement("URS-PLT-006")
def test_an_interlocked_plant_refuses_the_gate_and_says_why(shared):
    async def scenario(bench):
        (bench.folder / "operator" / "interlock").write_text("door open")
        await bench.server.scan(1.0)
        async with bench.client("gate") as client:
            await bench.beat(client)
            with pytest.raises(ua.uaerrors.BadInvalidState):
                await put(client, "setpoint/feed.rate", 2.0)
            assert await node(client, "equipment/interlock_clear").read_value() is False
            assert await node(client, "equipment/interlock_reason").read_value() == "door open"
            (bench.folder / "operator" / "interlock").unlink()
            await bench.server.scan(1.0)
            await put(client, "setpoint/feed.rate", 2.0)

    shared(scenario)


@pytest.mark.requirement("URS-PLT-005")
def test_the_gate_writes_reads_back_and_the_plant_answers(tmp_path, certificates):
    async def scenario(bench):
        async with bench.client("gate") as client:
            await bench.beat(client)
            await put(client, "setpoint/feed.rate", 6.0)
            await bench.server.scan(0.5)
            assert await node(client, "readback/feed.rate").read_value() == 6.0
            assert await node(client, "online/feed.flow").read_value() == pytest.approx(
                6.0, rel=0.1
            )
            await put(client, "command/harvest", 1.0)
            await bench.server.scan(0.5)
            assert await node(client, "batch/state").read_value() == "complete"

    play(scenario, tmp_path, certificates)


@pytest.mark.requirement("URS-PLT-011")
def test_a_silent_or_hung_gate_leaves_the_plant_to_local_control(tmp_path, certificates):
    async def scenario(bench):
        async with bench.client("gate") as client:
            with pytest.raises(ua.uaerrors.BadInvalidState):
                await put(client, "setpoint/feed.rate", 2.0)  # never heard of the gate
            await bench.beat(client)
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
            await bench.beat(client)
            await put(client, "setpoint/feed.rate", 3.0)

    play(scenario, tmp_path, certificates)


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

    settings = {"kind": "recorded", "package": tmp_path, "batches": ("X",)}
    play(scenario, tmp_path / "state", certificates, **settings)
