"""The gallery and the real desk in a browser."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import chromium

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium.find(), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from tests.web import gallery

    server = gallery.serve()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Open a page of the gallery; what the browser complained of is in ``page.complaints``."""
    contexts = []

    def go(name: str, *, scheme: str = "light", width: int = 1440) -> Any:
        size = {"width": width, "height": 900}
        context = browser.new_context(color_scheme=scheme, viewport=size)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda said: hear(page, said))
        page.goto(address + name)
        page.wait_for_load_state("networkidle")
        return page

    yield go
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def beside_an_event_loop() -> Iterator[None]:
    """Playwright runs a loop in this thread; the database may be asked here all the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture
def visit_as(desk: Any, browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page of the product as a person; complaints are in ``page.complaints``."""
    from django.conf import settings

    from tests.web.serving import serving, session_of

    contexts = []
    with serving() as address:

        def go(who: str, path: str, *, scheme: str = "light", width: int = 1440) -> Any:
            context = browser.new_context(
                color_scheme=scheme, viewport={"width": width, "height": 900}
            )
            contexts.append(context)
            key = session_of(desk.site.user(who)).session_key
            cookie = {"name": settings.SESSION_COOKIE_NAME, "value": key, "url": address}
            context.add_cookies([cookie])
            page = context.new_page()
            page.complaints = []
            page.on("pageerror", lambda error: page.complaints.append(str(error)))
            page.on("console", lambda said: hear(page, said))
            page.goto(address + path)
            page.wait_for_load_state("load")
            return page

        yield go
        for context in contexts:
            context.close()


def hear(page: Any, said: Any) -> None:
    if said.type in {"error", "warning"}:
        page.complaints.append(said.text)
