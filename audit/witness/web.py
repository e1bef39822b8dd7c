"""The witness over HTTP: an ASGI application, and the server that runs it."""

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from audit.witness import protocol
from audit.witness.protocol import Answer
from audit.witness.service import Witness

_NEWEST = re.compile(r"/([0-9a-f]{64})/checkpoint")


class Application:
    """Routes requests to the witness; its work, which waits for the disk, runs in a thread."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"a witness speaks HTTP, not {scope['type']}")
        action = self._action(scope["method"], scope["path"])
        if isinstance(action, Answer):
            answer = action
        else:
            body = await _body(receive)
            answer = await asyncio.to_thread(action, body)
        await _reply(send, answer)

    def _action(self, method: str, path: str) -> Answer | Callable[[bytes], Answer]:
        found = _NEWEST.fullmatch(path)
        routes: dict[str, tuple[str, Callable[[bytes], Answer]]] = {
            "/add-checkpoint": ("POST", self.witness.add_checkpoint),
            "/status": ("GET", lambda _: self.witness.status()),
        }
        if found:
            routes[path] = ("GET", lambda _: self.witness.newest(found[1]))
        if path not in routes:
            return Answer(404, "here are /add-checkpoint, /status and /<origin hash>/checkpoint\n")
        wanted, act = routes[path]
        return act if method == wanted else Answer(405, f"{path} takes {wanted}\n")


async def _body(receive: Any) -> bytes:
    """Return the request's body, at most a byte more than is accepted."""
    body, more = b"", True
    while more and len(body) <= protocol.LARGEST:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def _reply(send: Any, answer: Answer) -> None:
    body = answer.body.encode()
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def listen(host: str, port: int, *, last: int = 0) -> socket.socket:
    """Return a bound socket; without a ``port`` the last one if it is free, else any."""
    for wanted in (port,) if port else (last, 0):
        try:
            return _bound(host, wanted)
        except OSError:
            if wanted in (port, 0):
                raise
    raise AssertionError("a port of the system's choice is always tried last")


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def serve(witness: Witness, bound: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        Application(witness), access_log=False, log_level="warning", lifespan="off"
    )
    uvicorn.Server(config).run(sockets=[bound])
