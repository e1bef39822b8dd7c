"""One demonstration for all journeys, and a browser for each of its people."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import chromium
from tests.demonstration import Demonstration, running_demonstration
from tests.web.conftest import hear

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
PATIENCE = 20_000  # milliseconds for one thing to appear on a page


@pytest.fixture(scope="module")
def site() -> Iterator[Demonstration]:
    with running_demonstration() as demonstration:
        yield demonstration


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium.find(), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def sign_in_as(site: Demonstration, browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Sign in as a person of the demonstration; returns the page, complaints beside it.

    The code is the latest that is accepted, so that it is still in time when it is tried again.
    """
    contexts = []

    def go(username: str, path: str = "/") -> Any:
        context = browser.new_context(
            viewport={"width": 1440, "height": 900}, accept_downloads=True
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda said: hear(page, said))
        page.goto(site.address + path)
        proof = site.proof(username, ahead=True)
        page.get_by_label("User name").fill(username)
        page.get_by_label("Password").fill(proof["password"])
        page.get_by_label("One-time code").fill(proof["code"])
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("navigation").first.wait_for()
        assert "/sign-in/" not in page.url, page.locator("main").inner_text()
        return page

    yield go
    for context in contexts:
        context.close()
