"""Server-sent events: "batch X has changed", to every page that stands open.

One LISTEN connection for each web process feeds all its streams, and comes back by itself. A
stream holds no database connection, ends when its session ends and never extends it.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import structlog
from asgiref.sync import sync_to_async
from django.db import OperationalError, connections
from django.http import HttpRequest, StreamingHttpResponse
from django.views.decorators.http import require_safe

from audit import api as audit
from twin_core.data import rights
from twin_core.data.live import CHANNEL

log = structlog.get_logger("streams")
EVERY_BATCH = "all"
WAIT = 10.0  # seconds between two looks at the sessions, and between signs of life
AGAIN = 1.0  # seconds until a lost connection is opened again
ANY = object()  # says that something may have been missed: look again


class Hub:
    """All streams of this process on one event loop, and the connection that feeds them."""

    def __init__(self) -> None:
        self.streams: set[Stream] = set()
        self.task: asyncio.Task[None] | None = None

    def join(self, stream: "Stream") -> None:
        self.streams.add(stream)
        if self.task is None or self.task.done():
            self.task = asyncio.ensure_future(self.run())

    def leave(self, stream: "Stream") -> None:
        """Let a stream go; with the last one the connection is given up."""
        self.streams.discard(stream)
        if not self.streams and self.task is not None:
            self.task.cancel()
            self.task = None

    async def run(self) -> None:
        """Feed the streams until nobody listens any more; a lost connection is opened again."""
        looking = asyncio.ensure_future(self.watch_sessions())
        try:
            while True:
                try:
                    await self.listen()
                except psycopg.OperationalError as error:
                    log.warning("news connection lost", error=str(error))
                    await asyncio.sleep(AGAIN)
        finally:
            looking.cancel()

    async def listen(self) -> None:
        connection = await psycopg.AsyncConnection.connect(**parameters(), autocommit=True)
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self.give(ANY)  # what came while nobody listened is not known
            async for news in connection.notifies():
                self.give(news.payload)

    def give(self, news: Any) -> None:
        for stream in list(self.streams):
            stream.take(news)

    async def watch_sessions(self) -> None:
        """End the streams whose session is over: one look for all of them."""
        while True:
            await asyncio.sleep(WAIT)
            keys = {stream.session for stream in self.streams}
            try:
                alive = await sync_to_async(living, thread_sensitive=False)(keys)
            except OperationalError as error:
                log.warning("sessions not looked at", error=str(error))
                continue
            for stream in list(self.streams):
                stream.look(is_alive=stream.session in alive)


def living(keys: set[str]) -> set[str]:
    """Return the sessions that may go on; leaves no connection open in its thread."""
    try:
        return {key for key in keys if audit.sessions.is_alive(key)}
    finally:
        connections.close_all()


class Stream:
    """One open page: the batch it follows, and what it has not been told yet."""

    def __init__(self, session: str, batch: str) -> None:
        self.session, self.batch = session, batch
        self.changed: set[str] = set()
        self.wake = asyncio.Event()
        self.is_over = False

    def take(self, news: Any) -> None:
        if news is ANY:
            self.changed.add(self.batch)
        elif self.batch in (news, EVERY_BATCH):
            self.changed.add(news)
        self.wake.set()

    def look(self, *, is_alive: bool) -> None:
        self.is_over = self.is_over or not is_alive
        self.wake.set()

    async def events(self) -> AsyncIterator[str]:
        """Yield events: several changes between two of them are told as one."""
        await sync_to_async(connections.close_all)()  # a stream holds none
        hub.join(self)
        self.take(ANY)  # what came since the page was made is not known
        try:
            yield "retry: 2000\n\n"
            while not self.is_over:
                await self.wake.wait()
                self.wake.clear()
                changed, self.changed = self.changed, set()
                for number in sorted(changed):
                    yield f"event: changed\ndata: {number}\n\n"
                if not changed:
                    yield ": still here\n\n"
            yield "event: ended\ndata: session\n\n"
        finally:
            hub.leave(self)


hub = Hub()


def parameters() -> dict[str, Any]:
    """Return how to connect as this process does, for a connection outside Django's."""
    wanted = connections["default"].get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        wanted.pop(name, None)
    return wanted


@require_safe
async def stream(request: HttpRequest, number: str) -> StreamingHttpResponse:
    """Follow one batch, or all of them under the name ``all``."""
    user = await request.auser()
    await sync_to_async(rights.require_reader)(user)
    session = request.session.session_key or ""
    response = StreamingHttpResponse(
        Stream(session, number).events(), content_type="text/event-stream"
    )
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # a proxy in front passes events on at once
    return response
