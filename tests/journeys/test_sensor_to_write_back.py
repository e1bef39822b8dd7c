"""From a sensor's value to a value at the plant and its proof: the way of each person, in a browser."""

import re
from typing import Any

import pytest

from tests.demonstration import Demonstration, eventually
from tests.web.test_accessibility import violations

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
ADVISED_WITHIN = 240.0  # seconds for a change on BR-201 to be advised at this pace
DECIDED_WITHIN = 90.0  # seconds for signature, write and read-back
WRITABLE = """
SELECT r.id, r.title FROM twin_core_recommendation r JOIN twin_core_batch b ON b.id = r.batch_id
WHERE r.state = 'proposed' AND r.is_writable ORDER BY r.id DESC LIMIT 1
"""


def check(page: Any) -> None:
    """A page that a person stands on: nothing for axe, nothing that the browser complained of."""
    page.wait_for_load_state("load")
    assert (page.url, violations(page)) == (page.url, [])
    assert page.complaints == []


def open_from_desk(site: Demonstration, page: Any) -> str:
    """Follow the newest writable advice from the desk; returns its title."""
    (identity, title), *_ = eventually(
        lambda: site.rows(WRITABLE), within=ADVISED_WITHIN, what="a change on BR-201 is advised"
    )
    page.goto(f"{site.address}/desk/")
    check(page)
    page.locator(f"a.row-link[href='/recommendations/{identity}/']").click()
    page.get_by_role("heading", level=1, name=title).wait_for()
    return str(identity)


def read_evidence(page: Any) -> None:
    """The page says what, why, what is expected, how sure, and what it rests on."""
    check(page)
    for card in ("What is advised", "Why", "Expected effect", "Assumptions", "What it rests on"):
        page.get_by_role("heading", level=2, name=card, exact=True).wait_for()
    page.get_by_text(re.compile(r"All \d+ values behind it")).click()
    rests = page.get_by_role("region", name="What it rests on")
    assert rests.get_by_role("link").count() >= 3  # estimate, forecast, a segment or a result


def sign(page: Any, proof: dict[str, str], reason: str) -> None:
    """Open the dialog (it may stand open after a refusal), fill it in and send it."""
    dialog = page.get_by_role("dialog", name="Approve and sign")
    if not dialog.is_visible():
        page.get_by_role("button", name="Approve and sign").click()
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_label("Password").fill(proof["password"])
    dialog.get_by_label("One-time code").fill(proof["code"])
    with page.expect_navigation():
        dialog.get_by_role("button", name=re.compile("^Sign")).click()


def refuse_the_same_code(site: Demonstration, page: Any) -> None:
    """The code that opened the session signs nothing; the dialog says when the next one will."""
    held = site.people()["quinn"]
    used = {"password": held.password, "code": site.used_code("quinn")}
    sign(page, used, "consistent with the last two days")
    dialog = page.get_by_role("dialog", name="Approve and sign")
    assert "was used before" in dialog.inner_text()
    assert re.search(r"The next one is accepted in|accepted now", dialog.inner_text())
    assert page.get_by_role("region", name="Signatures").get_by_text("Nobody has signed").count()
    page.complaints.clear()  # the browser notes the refusal's status


def confirmed(page: Any) -> None:
    """Wait until the page tells that the plant holds what was signed."""

    def look() -> bool:
        page.reload()
        return page.get_by_text("Read back and confirmed").count() > 0

    eventually(look, within=DECIDED_WITHIN, what="the write is read back", every=1.0)
    check(page)


@pytest.mark.requirement("URS-WBK-002")
@pytest.mark.requirement("URS-WBK-005")
@pytest.mark.requirement("URS-SIG-001")
@pytest.mark.requirement("URS-SIG-002")
@pytest.mark.requirement("URS-SIG-004")
@pytest.mark.requirement("URS-REC-004")
def test_a_reviewer_signs_advice_and_sees_it_confirmed_at_the_plant(site, sign_in_as):
    page = sign_in_as("quinn")
    identity = open_from_desk(site, page)
    read_evidence(page)
    refuse_the_same_code(site, page)
    sign(page, site.proof("quinn"), "consistent with the last two days")
    if page.get_by_text("second signature").count():
        second = sign_in_as("rosa", f"/recommendations/{identity}/")
        sign(second, site.proof("rosa"), "read independently")
    confirmed(page)
    page.screenshot(path="/tmp/jn/confirmed.png", full_page=True)
