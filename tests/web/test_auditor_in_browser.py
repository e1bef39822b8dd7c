"""The auditor's pages in a real browser: axe finds nothing, keys lead everywhere, one signs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone

from audit import api as audit
from audit.desk import indexing, reviews
from audit.models import TrailReview
from tests.audit.sealing import Ledger
from tests.services import django_on
from tests.web.test_accessibility import violations

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("beside_an_event_loop")]


@pytest.fixture
def sealed(desk: Any, services: Any, tmp_path: Path) -> Iterator[Any]:
    """That installation with its records sealed and indexed."""
    Ledger(services, desk.name, tmp_path / "checkpoints").seal()
    url = urlsplit(services.environment(desk.name)["TWIN_INDEXER_DATABASE_URL"])
    login = {"USER": unquote(url.username or ""), "PASSWORD": unquote(url.password or "")}
    with django_on(desk.name, **login):
        while indexing.index():
            pass
    yield desk


def address(route: str, *arguments: Any, **asked: str) -> str:
    told = f"?{urlencode(asked)}" if asked else ""
    return reverse(route, args=arguments) + told


def opened(desk: Any) -> TrailReview:
    """Return a review of all there is, for the reviewer."""
    first = audit.Record.objects.order_by("id").first()
    assert first is not None
    return reviews.open_review(
        by=desk.site.user("reviewer"), since=first.recorded_at, until=timezone.now()
    )


def pages(desk: Any) -> list[tuple[str, str]]:
    feed, review = desk.feed, opened(desk)
    subject = {"subject_type": "twin_core.recommendation", "subject": str(feed.pk)}
    at = f"{feed.record.recorded_at:%Y-%m-%d %H:%M:%S}"
    then = {"type": "twin_core.recommendation", "id": str(feed.pk), "moment": at}
    return [
        ("auditor", address("audit:trail", text="feed proposed")),
        ("auditor", address("audit:trail", **subject)),
        ("auditor", address("audit:trail", text="ab")),
        ("auditor", address("audit:record", feed.record_id)),
        ("auditor", address("audit:lineage", feed.record_id)),
        ("auditor", address("audit:as_of")),
        ("auditor", address("audit:as_of", **then)),
        ("reviewer", address("audit:reviews")),
        ("reviewer", address("audit:review", review.pk)),
        ("administrator", address("people:person", desk.site.user("auditor").pk)),
    ]


@pytest.mark.requirement("URS-WEB-001")
@pytest.mark.requirement("URS-WEB-002")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_axe_finds_nothing_on_the_auditors_pages(sealed, visit_as, scheme, width):
    found = {}
    for who, path in pages(sealed):
        page = visit_as(who, path, scheme=scheme, width=width)
        page.wait_for_timeout(300)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        said = [text for text in page.complaints if "400" not in text]  # a refused search says so
        if flaws := [*violations(page), *said, *([wide] if wide > 0 else [])]:
            found[path] = flaws
        page.context.close()
    assert found == {}


@pytest.mark.requirement("URS-WEB-031")
def test_a_search_is_asked_with_keys_marked_and_kept_in_the_address(sealed, visit_as):
    page = visit_as("auditor", address("audit:trail"))
    page.keyboard.press("/")
    page.keyboard.type("feed proposed")
    page.keyboard.press("Enter")
    page.wait_for_url("**text=feed+proposed**")
    marks = page.locator("tbody mark").all_inner_texts()
    assert {mark.casefold() for mark in marks} <= {"feed", "proposed"}
    assert marks
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.classList.contains('row-link')")
    page.get_by_role("link", name="Words of anything recorded: feed proposed").press("Enter")
    page.wait_for_function("!location.search.includes('text=')")


@pytest.mark.requirement("URS-WEB-033")
def test_the_picture_of_a_lineage_is_walked_with_the_keyboard(sealed, visit_as):
    page = visit_as("auditor", address("audit:lineage", sealed.feed.record_id))
    boxes = page.locator("svg.lineage a")
    assert boxes.count() > 1
    before = page.url
    boxes.first.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("before => location.href !== before", arg=before)
    assert "/records/" in page.url
    assert page.complaints == []


@pytest.mark.requirement("URS-WEB-037")
def test_a_reviewer_judges_every_entry_and_signs(sealed, visit_as):
    review = opened(sealed)
    page = visit_as("reviewer", address("audit:review", review.pk))
    count = page.locator("article.entry").count()
    assert count > 0
    assert page.get_by_role("button", name="Sign the review").count() == 0
    for number in range(count):
        entry = page.locator("article.entry").nth(number)
        entry.get_by_label("In your words").fill("looked at it")
        verdict = "Finding" if number == 0 else "Seen, no concern"
        entry.get_by_role("button", name=verdict).press("Enter")
        page.wait_for_load_state("load")
        page.wait_for_selector(f"text={number + 1} of {count} ranked entries judged")
    page.get_by_role("button", name="Sign the review").press("Enter")
    dialog = page.get_by_role("dialog", name="Sign the review")
    person = sealed.site.people["reviewer"]
    dialog.get_by_label("Conclusion").fill("One finding, all else in order.")
    dialog.get_by_label("Password").fill(person.password)
    dialog.get_by_label("One-time code").fill(person.code(timezone.now()))
    dialog.get_by_role("button", name="Sign the review").press("Enter")
    page.wait_for_selector("text=Meaning:")
    assert TrailReview.objects.get(pk=review.pk).state == "signed"
    assert page.complaints == []
