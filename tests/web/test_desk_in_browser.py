"""The real desk in a real browser: axe finds nothing, keys work, pages live, a person signs."""

from contextlib import suppress
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import TimeoutError as TooLate

from tests.twin_core import factories
from tests.web.test_accessibility import violations
from twin_core.data import entry
from twin_core.models import LabResult, Recommendation

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("beside_an_event_loop")]


def paths(desk: Any) -> list[tuple[str, str]]:
    factories.parked()
    last = LabResult.objects.filter(batch=desk.batch, tag="lactate").latest("sampled_h")
    return [
        ("reviewer", reverse("web:desk")),
        ("engineer", reverse("web:batches")),
        ("engineer", reverse("web:batch", args=[desk.batch.number])),
        ("engineer", reverse("web:batch", args=[desk.recorded.number])),
        ("engineer", reverse("web:correct", args=[desk.batch.number, last.pk])),
        ("reviewer", reverse("web:recommendation", args=[desk.temperature.pk])),
        ("reviewer", reverse("web:decision", args=[desk.feed.pk])),
        ("administrator", reverse("web:health")),
    ]


@pytest.mark.requirement("URS-WEB-001")
@pytest.mark.requirement("URS-WEB-002")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_axe_finds_nothing_on_real_pages_and_none_scrolls_sideways(desk, visit_as, scheme, width):
    found = {}
    for who, path in paths(desk):
        page = visit_as(who, path, scheme=scheme, width=width)
        page.wait_for_timeout(400)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if flaws := [*violations(page), *page.complaints, *([wide] if wide > 0 else [])]:
            found[path] = flaws
        page.context.close()
    assert found == {}


@pytest.mark.requirement("URS-WEB-002")
@pytest.mark.requirement("URS-SIG-001")
def test_a_reviewer_walks_the_queue_with_keys_and_signs(desk, visit_as):
    page = visit_as("reviewer", reverse("web:desk"))
    there = reverse("web:recommendation", args=[desk.feed.pk])
    open_by_keys(page, there)
    page.get_by_role("button", name="Approve and sign").press("Enter")
    dialog = page.get_by_role("dialog", name="Approve and sign")
    signing = desk.signing("reviewer", desk.feed)
    dialog.get_by_label("Reason").fill("Consistent with the last two days.")
    dialog.get_by_label("Password").fill(signing["password"])
    dialog.get_by_label("One-time code").fill(signing["code"])
    dialog.get_by_role("button", name="Sign approval").press("Enter")
    page.wait_for_selector("text=Meaning:")
    assert Recommendation.objects.get(pk=desk.feed.pk).state == "approved"
    assert "Anna Meier" in page.get_by_role("region", name="Signatures").inner_text()
    assert page.complaints == []


def open_by_keys(page, address: str) -> None:
    """Walk to the row and open it; when the list was drawn anew in between, walk again."""
    for _ in range(5):
        walk_to(page, address)
        page.keyboard.press("Enter")
        with suppress(TooLate):
            page.wait_for_url(f"**{address}", timeout=5_000)
            return
    pytest.fail(f"Enter does not open {address}")


def walk_to(page, address: str) -> None:
    """Press j until the row of that address has the focus, looking after each press.

    A press before the page's scripts have loaded moves nothing, as for any person.
    """
    for _ in range(40):
        page.keyboard.press("j")
        if page.locator(f'a[href="{address}"]:focus').count():
            return
        page.wait_for_timeout(100)
    pytest.fail(f"the keys do not lead to {address}")


@pytest.mark.requirement("URS-REC-007")
def test_a_second_reviewer_is_told_on_the_open_page(desk, visit_as):
    page = visit_as("approver", reverse("web:recommendation", args=[desk.feed.pk]))
    answer = desk.client("reviewer").post(
        reverse("web:sign", args=[desk.feed.pk]), desk.signing("reviewer", desk.feed)
    )
    assert answer.status_code == 302
    page.wait_for_selector("text=This item has moved since you opened it", timeout=15_000)
    assert "Approved by Anna Meier" in page.locator("main").inner_text()


@pytest.mark.requirement("URS-WEB-004")
def test_an_open_batch_page_shows_a_new_value_by_itself(desk, visit_as):
    page = visit_as("engineer", reverse("web:batch", args=[desk.batch.number]) + "#laboratory")
    page.wait_for_selector("[data-live=live]", timeout=15_000)
    assert page.locator("#laboratory").is_visible()
    entry.enter(
        desk.batch, tag="glucose", value=14.25, sampled_h=165, person=desk.site.user("engineer"),
        reason="second analyser",
    )  # fmt: skip
    page.wait_for_selector("#laboratory >> text=14.25", timeout=15_000)
    readout = page.locator("[data-chart=chart-sugars] .chart-readout")
    page.wait_for_function(
        "node => node.textContent.includes('14.25')", arg=readout.element_handle(), timeout=15_000
    )
    assert page.complaints == []
