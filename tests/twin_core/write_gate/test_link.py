"""The gate's session with a real plant: who may write, what is refused, and what a break means."""

import asyncio

import pytest
from asyncua import ua

from tests.twin_core.plants import eventually, running
from twin_core.connect import client as opcua
from twin_core.science.tag_map import parse_tag_map
from twin_core.supervisor.roster import CHECKOUT
from twin_core.virtual_plant.certificates import prepare
from twin_core.write_gate import service
from twin_core.write_gate.link import OpcUaLink

MAP = parse_tag_map(
    (CHECKOUT / "twin_core/equipment/bioreactor/tag_maps/BR-201.tags.yaml").read_bytes(),
    name="BR-201.tags.yaml",
)
FEED = MAP.setpoints["feed.rate"]


@pytest.fixture
def plant(tmp_path):
    with running(tmp_path, link_timeout_s=2.0) as live:
        yield live


@pytest.fixture
def link(plant):
    made = OpcUaLink(MAP, endpoint=plant.endpoint, certificates=plant.certificates)
    eventually(lambda: made.is_open and read(made)["mode"] == "remote")
    yield made
    made.close()


def read(link):
    try:
        return link.read(FEED)
    except service.LinkLost:
        return {"mode": None}


@pytest.mark.requirement("URS-WBK-007")
def test_the_gate_writes_and_reads_back_with_its_own_certificate(link):
    link.write(FEED, 3.5)
    assert service.read_back(link, FEED, 3.5) == 3.5
    told = link.read(FEED)
    assert told["batch"] == "BR-201-0001"
    assert told["interlock_clear"] is True
    assert told["process_h"] >= 0


@pytest.mark.requirement("URS-WBK-007")
@pytest.mark.requirement("URS-CON-004")
def test_the_connectors_certificate_may_not_write(plant, link):
    async def write_as(name):
        async with opcua.session(
            plant.endpoint(), name=name, certificates=plant.certificates, plant="BR-201"
        ) as client:
            node = await opcua.resolve(client, MAP.namespace)
            await node(FEED.node).write_value(ua.Variant(3.5, ua.VariantType.Double))

    with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
        asyncio.run(write_as("connector"))
    assert link.read(FEED)["held"] != 3.5


@pytest.mark.requirement("URS-WBK-003")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1000.0, -1.0])
def test_the_plant_itself_refuses_what_is_out_of_range(link, value):
    held = link.read(FEED)["held"]
    with pytest.raises(service.WriteRefused, match="Bad"):
        link.write(FEED, value)
    assert link.read(FEED)["held"] == held


@pytest.mark.requirement("URS-WBK-008")
def test_without_the_heartbeat_the_plant_goes_local_and_takes_no_write(link):
    link.is_beating = False
    eventually(lambda: read(link)["mode"] == "local")
    with pytest.raises(service.WriteRefused, match="Bad"):
        link.write(FEED, 3.5)
    link.is_beating = True
    eventually(lambda: read(link)["mode"] == "remote")
    link.write(FEED, 3.5)
    assert service.read_back(link, FEED, 3.5) == 3.5


@pytest.mark.requirement("URS-WBK-005")
def test_a_plant_that_goes_away_is_a_lost_link_and_comes_back_by_itself(plant, link):
    link.write(FEED, 3.5)
    plant.stop()
    eventually(lambda: not link.is_open)
    with pytest.raises(service.LinkLost):
        link.read(FEED)
    with pytest.raises(service.LinkLost):
        link.write(FEED, 4.0)
    plant.start()
    eventually(lambda: link.is_open and read(link).get("held") == 3.5)


@pytest.mark.requirement("URS-WBK-004")
def test_what_has_no_good_quality_is_not_read(plant, link):
    link.write(FEED, 3.5)
    assert service.read_back(link, FEED, 3.5) == 3.5
    space, at = plant.server._space, plant.server._last_at
    shown = space.show("readback/feed.rate", 3.5, at, quality="bad")
    asyncio.run_coroutine_threadsafe(shown, plant._loop).result(10)
    assert link.read(FEED)["held"] is None


@pytest.mark.requirement("URS-CON-004")
def test_a_server_with_another_certificate_is_not_spoken_to(tmp_path, plant):
    other = tmp_path / "other"
    prepare(other, ["BR-201"])

    async def speak():
        async with opcua.session(plant.endpoint(), name="gate", certificates=other, plant="BR-201"):
            pytest.fail("a session was opened")

    with pytest.raises((OSError, ua.UaError, TimeoutError)):
        asyncio.run(speak())
