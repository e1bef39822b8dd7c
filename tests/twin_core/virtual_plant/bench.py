"""A plant server in the test's own process, moved by hand, with clients of any name."""

import asyncio
import json
from contextlib import asynccontextmanager

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from twin_core.virtual_plant.address_space import NAMESPACE
from twin_core.virtual_plant.opcua_server import PlantServer
from twin_core.virtual_plant.plant_config import PlantConfig

ASSET = "BR-7"
DOUBLE, COUNT = ua.VariantType.Double, ua.VariantType.UInt32
REFUSALS = (ua.UaError, ConnectionError, asyncio.TimeoutError)
PATIENCE = 60  # seconds


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Bench:
    """The server with its folder; ``await bench.server.scan(s)`` lets s seconds pass."""

    def __init__(self, folder, certificates, *, kind="simulated", **changes):
        settings = {"speed": 3600.0, "first_seed": 21, "allow_faults": True, **changes}
        config = PlantConfig(ASSET, kind, folder, certificates, **settings)
        self.clock, self.beats = Clock(), 0
        self.server = PlantServer(config, clock=self.clock)
        self.folder, self.certificates = folder, certificates

    async def start(self):
        await self.server.start()
        await self.server.scan(0.0)

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

    async def beat(self, client):
        self.beats += 1
        await put(client, "equipment/heartbeat", self.beats, COUNT)

    def fault(self, *faults):
        (self.folder / "faults.json").write_text(json.dumps(faults))

    def end_faults(self):
        (self.folder / "faults.json").unlink()


def node(client, path):
    return client.get_node(ua.NodeId(f"{ASSET}/{path}", client.index))


async def put(client, path, value, kind=DOUBLE):
    await node(client, path).write_value(ua.DataValue(ua.Variant(value, kind)))


def play(scenario, folder, certificates, **changes):
    """Run ``scenario(bench)`` on a server of its own."""

    async def act():
        bench = Bench(folder, certificates, **changes)
        await bench.start()
        try:
            await asyncio.wait_for(scenario(bench), PATIENCE)
        finally:
            await bench.server.close()

    asyncio.run(act())


class Listener:
    """Collects notifications of nodes by path."""

    def __init__(self):
        self.heard = {}

    def count(self, path):
        return len(self.heard.get(path, ()))

    def datachange_notification(self, node, value, data):
        path = str(node.nodeid.Identifier).removeprefix(f"{ASSET}/")
        self.heard.setdefault(path, []).append(data.monitored_item.Value)

    def status_change_notification(self, status):
        pass


@asynccontextmanager
async def listening(client, *paths):
    """Subscribe as docs/design/plant.md asks: by timestamp too, with a long queue."""
    listener = Listener()
    subscription = await client.create_subscription(20, listener)
    trigger = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)
    nodes = [node(client, path) for path in paths]
    await subscription._subscribe(nodes, ua.AttributeIds.Value, trigger, queuesize=1000)
    yield listener
    await subscription.delete()


async def settle(until):
    for _ in range(500):
        if until():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("what was waited for did not come")
