"""A session with an OPC UA plant: signed, encrypted, and only with the server we trust."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

TIMEOUT = 5.0  # seconds for any one answer
SESSION_MS = 600_000  # a server forgets a session that was cut off after this


@asynccontextmanager
async def session(
    endpoint: str, *, name: str, certificates: Path, plant: str
) -> AsyncIterator[Client]:
    """Open a session as application ``name`` with the plant whose certificate we hold.

    ``certificates`` holds ``NAME.cert.pem`` and ``NAME.key.pem`` and the plant's certificate. A
    server with another certificate cannot decrypt what we send: the session does not open.
    """
    client = Client(endpoint, timeout=TIMEOUT)
    client.application_uri = f"urn:pharma-digital-twin:{name}"
    client.name = f"twin {name}"
    client.session_timeout = SESSION_MS
    await client.set_security(
        SecurityPolicyBasic256Sha256,
        certificate=str(certificates / f"{name}.cert.pem"),
        private_key=str(certificates / f"{name}.key.pem"),
        server_certificate=str(certificates / f"{plant}.cert.pem"),
        mode=ua.MessageSecurityMode.SignAndEncrypt,
    )
    async with client:
        yield client


async def resolve(client: Client, namespace: str) -> Any:
    """Return a function from a tag map's node text to the client's node."""
    index = await client.get_namespace_index(namespace)
    return lambda path: client.get_node(ua.NodeId(ua.String(path), ua.Int16(index)))


def quality_of(status: ua.StatusCode | None) -> str:
    """Return good, uncertain or bad, as the two top bits of a status code say."""
    if status is None or status.is_good():
        return "good"
    return "uncertain" if status.is_uncertain() else "bad"
