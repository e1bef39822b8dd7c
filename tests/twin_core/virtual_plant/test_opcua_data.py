"""The plant over OPC UA: what is told, with which time, unit and quality, and its faults."""

import json
import time
from math import isnan

import pytest
from asyncua import ua

from tests.twin_core.virtual_plant.bench import COUNT, REFUSALS, listening, node, play, settle


@pytest.mark.requirement("URS-PLT-007")
def test_no_laboratory_result_is_missed_by_a_listener_or_after_a_gap(tmp_path, certificates):
    async def scenario(bench):
        tags = ("glucose", "viability", "titer")
        paths = [f"laboratory/{tag}" for tag in tags]
        async with bench.client("connector") as client:
            async with listening(client, *paths) as listener:
                await bench.server.scan(27.0)  # five samplings in a single scan
                await settle(lambda: all(listener.count(p) == 6 for p in paths))
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
            await settle(lambda: listener.count("online/ph") > 121)
        times = {p: [v.SourceTimestamp for v in listener.heard[p][1:]] for p in paths}
        assert len(times["online/ph"]) == 121  # the first notification is what was before
        assert times["online/ph"] == times["online/temperature"] == times["process_time"]
        assert times["online/ph"] == sorted(set(times["online/ph"]))
        hours = [v.Value.Value for v in listener.heard["process_time"]]
        assert hours[-1] == 2.0
        assert hours[1:] == sorted(set(hours[1:]))

    play(scenario, tmp_path, certificates)


def test_units_stand_beside_each_variable(shared):
    async def scenario(bench):
        async with bench.client("connector") as client:
            for path, unit in (("online/ph", "pH"), ("laboratory/titer", "g/L")):
                shown = await node(client, f"{path}/EngineeringUnits").read_value()
                assert shown.DisplayName.Text == unit

    shared(scenario)


FAULTS = [
    ("bad_quality", lambda v: v.StatusCode.name == "BadSensorFailure"),
    ("uncertain_quality", lambda v: v.StatusCode.name.startswith("Uncertain")),
    ("nan", lambda v: isnan(v.Value.Value) and v.StatusCode.is_good()),
    ("future_time", lambda v: v.SourceTimestamp.timestamp() > time.time() + 3000),
]


@pytest.mark.requirement("URS-PLT-012")
def test_a_fault_shows_on_its_tag_alone_and_ends_with_its_file(shared):
    async def read(client, tag):
        return await node(client, f"online/{tag}").read_data_value(raise_on_bad_status=False)

    async def scenario(bench):
        async with bench.client("connector") as client:
            for kind, shows in FAULTS:
                bench.fault({"kind": kind, "tag": "ph"})
                await bench.server.scan(1.0)
                assert shows(await read(client, "ph")), kind
                assert not shows(await read(client, "temperature")), kind
                bench.end_faults()
                await bench.server.scan(1.0)
                assert not shows(await read(client, "ph")), kind

    shared(scenario)


@pytest.mark.requirement("URS-PLT-012")
def test_freeze_wrong_unit_duplicate_and_disorder_show_as_such(shared):
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
            await settle(lambda: listener.count("online/ph") > 300)
            unit = await node(client, "online/volume/EngineeringUnits").read_value()
        frozen = {v.Value.Value for v in listener.heard["online/temperature"][1:]}
        assert len(frozen) == 1
        times = [v.SourceTimestamp for v in listener.heard["online/ph"][1:]]
        assert times != sorted(times)
        assert unit.DisplayName.Text == "gal"

    shared(scenario)


@pytest.mark.requirement("URS-PLT-012")
def test_a_dropped_link_cuts_clients_and_the_plant_goes_on(shared):
    async def scenario(bench):
        before = bench.server.operation.time_h
        with pytest.raises(REFUSALS):
            async with bench.client("connector") as client:
                bench.fault({"kind": "drop_link"})
                await bench.server.scan(1.0)
                await node(client, "process_time").read_value()
        bench.end_faults()
        await bench.server.scan(1.0)
        async with bench.client("connector") as client:
            now = await node(client, "process_time").read_value()
            assert now == pytest.approx(before + 2.0, abs=0.05)

    shared(scenario)


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
