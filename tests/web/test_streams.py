"""Streams: told after the commit, ended with the session, fed by one connection, back by itself."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.db import transaction
from django.urls import reverse

from audit.session_store import OPENED, SEEN
from tests.twin_core import factories
from tests.web.serving import serving, session_of
from twin_core.models import Batch
from twin_core.web import streams

PATIENCE = 15.0  # seconds


class Listener:
    """One open page: reads its stream in a thread."""

    def __init__(self, address: str, batch: str, key: str) -> None:
        place = urlsplit(address)
        self.connection = http.client.HTTPConnection(place.netloc, timeout=PATIENCE)
        self.connection.request(
            "GET", reverse("web:stream", args=[batch]), headers={"Cookie": f"sessionid={key}"}
        )
        self.answer = self.connection.getresponse()
        self.lines: list[str] = []
        self.is_over = False
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        for line in self.answer:
            self.lines.append(line.decode().rstrip())
        self.is_over = True

    def events(self) -> list[str]:
        """Return what was told: the data of each event."""
        return [line.removeprefix("data: ") for line in self.lines if line.startswith("data: ")]


def wait_for(what: Callable[[], bool], said: str) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, said
        time.sleep(0.02)


@pytest.fixture
def quick(monkeypatch) -> None:
    monkeypatch.setattr(streams, "WAIT", 0.2)
    monkeypatch.setattr(streams, "AGAIN", 0.1)


@pytest.fixture
def address(desk, quick) -> Iterator[str]:
    with serving() as served:
        yield served


def enter(batch: Batch, hours: float) -> None:
    factories.results(batch, ("glucose",), hours, 168.0)


@pytest.mark.requirement("URS-DSK-002")
@pytest.mark.requirement("URS-WEB-004")
def test_a_page_is_told_of_its_batch_and_of_no_other_once_it_is_committed(desk, address):
    key = session_of(desk.site.user("reviewer")).session_key
    own = Listener(address, desk.batch.number, key)
    every = Listener(address, "all", key)
    assert own.answer.status == 200
    assert own.answer.headers["Content-Type"] == "text/event-stream"
    wait_for(lambda: bool(own.events() and every.events()), "each is told to look once at first")
    with transaction.atomic():
        enter(desk.recorded, 139.0)
        time.sleep(0.3)
        assert set(every.events()) == {"all"}, "nothing is told before the commit"
    wait_for(lambda: desk.recorded.number in every.events(), "the other batch changed")
    assert desk.recorded.number not in own.events()
    before = len(own.events())
    enter(desk.batch, 166.75)
    wait_for(lambda: len(own.events()) > before, "the own batch changed")
    assert set(own.events()) == {desk.batch.number}


@pytest.mark.requirement("URS-DSK-002")
@pytest.mark.requirement("URS-SIG-009")
def test_a_stream_ends_with_its_session_and_never_extends_it(desk, address):
    store = session_of(desk.site.user("reviewer"))
    before = store[SEEN] - 60
    store[SEEN] = before
    store.save()
    page = Listener(address, desk.batch.number, store.session_key)
    wait_for(lambda: bool(page.events()), "the stream is open")
    wait_for(lambda: ": still here" in page.lines, "a sign of life")
    fresh = type(store)(store.session_key)
    assert fresh[SEEN] == before
    fresh[OPENED] = fresh[SEEN] = 0.0
    fresh.save()
    wait_for(lambda: page.is_over, "the stream ends with its session")
    assert page.events()[-1] == "session"
    refused = Listener(address, desk.batch.number, store.session_key)
    assert refused.answer.status == 401


@pytest.mark.requirement("URS-SIG-011")
def test_a_stream_needs_a_session(desk, address):
    assert Listener(address, desk.batch.number, "0" * 32).answer.status == 401


def connections_of(services, name: str, query: str = "%") -> list[int]:
    with services.connect("superuser", name) as server:
        rows = server.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND usename = 'twin_application'"
            " AND query LIKE %s",
            [name, query],
        )
        return [pid for (pid,) in rows]


@pytest.mark.requirement("URS-DSK-002")
@pytest.mark.requirement("URS-WEB-008")
def test_twenty_streams_share_one_connection_that_comes_back_when_it_is_cut(
    desk, address, services
):
    key = session_of(desk.site.user("reviewer")).session_key
    pages = [Listener(address, desk.batch.number, key) for _ in range(20)]
    wait_for(lambda: all(page.events() for page in pages), "all are open")
    listening = connections_of(services, desk.name, "LISTEN%")
    assert len(listening) == 1
    assert len(connections_of(services, desk.name)) < 10, "no stream holds a connection"
    with services.connect("superuser", desk.name) as server:
        server.execute("SELECT pg_terminate_backend(%s)", listening)
    wait_for(
        lambda: (
            (again := connections_of(services, desk.name, "LISTEN%")) != [] and again != listening
        ),
        "the connection comes back",
    )
    told = [len(page.events()) for page in pages]
    enter(desk.batch, 166.5)
    wait_for(
        lambda: all(len(p.events()) > n for p, n in zip(pages, told, strict=True)), "all hear again"
    )
