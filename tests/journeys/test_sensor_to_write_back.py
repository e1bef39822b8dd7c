"""From a sensor's value to a value at the plant and its proof, in a browser, person by person."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path
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


def newest_advice(site: Demonstration) -> tuple[Any, ...]:
    """Return (identity, title) of the newest writable advice, waiting for the first."""
    found = eventually(
        lambda: site.rows(WRITABLE), within=ADVISED_WITHIN, what="a change on BR-201 is advised"
    )
    return found[0]


def open_from_desk(page: Any, identity: str, title: str) -> None:
    """Follow a piece of advice from the list of what waits."""
    page.get_by_role("heading", level=1, name="Waits for you").wait_for()
    check(page)
    page.locator(f"a.row-link[href='/recommendations/{identity}/']").click()
    page.get_by_role("heading", level=1, name=title).wait_for()


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
    assert re.search(r"The next one is accepted in .*\d+ s", dialog.inner_text())
    assert page.get_by_role("region", name="Signatures").get_by_text("Nobody has signed").count()
    page.complaints.clear()  # the browser notes the refusal's status


def confirmed(page: Any) -> None:
    """Wait until the page tells that the plant holds what was signed."""

    def look() -> bool:
        page.reload()
        return page.get_by_text("Read back and confirmed").count() > 0

    eventually(look, within=DECIDED_WITHIN, what="the write is read back", every=1.0)
    check(page)


def open_record(page: Any) -> None:
    """Go from the recommendation to its record; the page checks the proof while it is made."""
    page.get_by_role("link", name="Read back and confirmed").click()
    page.get_by_role("heading", level=2, name="Proof").wait_for()
    for _ in range(10):  # the sealer takes about a second
        if page.get_by_text("proved", exact=True).count():
            break
        page.wait_for_timeout(1000)
        page.reload()
    assert page.get_by_text("proved", exact=True).count()
    assert page.get_by_text(re.compile(r"Inclusion proof, \d+ hashes")).count()
    check(page)


def export_from_page(page: Any, address: str, place: Path) -> Path:
    """Filter the trail for the batch, ask for the export, unpack it; returns the bundle."""
    page.goto(f"{address}/trail/")
    page.get_by_label("Batch or stream").fill("batch/BR-201-0001")
    with page.expect_navigation():
        page.get_by_role("button", name="Filter", exact=True).click()
    check(page)
    page.get_by_role("button", name="Export what is filtered").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("inspection of the batch")
    page.get_by_role("dialog").get_by_role("button", name="Export").click()
    link = page.get_by_role("link", name="Download the export: inspection of the batch")
    link.wait_for(timeout=120_000)  # a worker makes it; the page looks every two seconds
    check(page)
    with page.expect_download(timeout=60_000) as saving:
        link.click()
    with zipfile.ZipFile(saving.value.path()) as archive:
        archive.extractall(place)
    (bundle,) = place.iterdir()
    return bundle


def verify_elsewhere(bundle: Path, trust: Path) -> "subprocess.CompletedProcess[str]":
    """Run the bundle's own verifier with nothing of ours: no variables, no packages."""
    return subprocess.run(
        [sys.executable, "-I", "-S", "verifier.py", ".", "--trust", str(trust)],
        cwd=bundle,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.requirement("URS-WBK-002")
@pytest.mark.requirement("URS-WBK-005")
@pytest.mark.requirement("URS-SIG-001")
@pytest.mark.requirement("URS-SIG-002")
@pytest.mark.requirement("URS-SIG-004")
@pytest.mark.requirement("URS-REC-004")
def test_a_reviewer_signs_advice_and_sees_it_confirmed_at_the_plant(site, sign_in_as):
    identity, title = newest_advice(site)
    page = sign_in_as("quinn", "/desk/")
    open_from_desk(page, identity, title)
    read_evidence(page)
    refuse_the_same_code(site, page)
    sign(page, site.proof("quinn"), "consistent with the last two days")
    if page.get_by_text("second signature").count():
        second = sign_in_as("rosa", f"/recommendations/{identity}/")
        sign(second, site.proof("rosa"), "read independently")
    confirmed(page)
    open_record(page)


@pytest.mark.requirement("URS-AUD-008")
@pytest.mark.requirement("URS-AUD-025")
@pytest.mark.requirement("URS-WEB-020")
def test_an_auditor_exports_the_batch_and_proves_it_without_the_product(site, sign_in_as, tmp_path):
    page = sign_in_as("agnes")
    check(page)
    bundle = export_from_page(page, site.address, tmp_path / "unpacked")
    trust = tmp_path / "ledger.pub"
    trust.write_bytes((site.folder.keys / "ledger.pub").read_bytes())
    proved = verify_elsewhere(bundle, trust)
    assert proved.returncode == 0, proved.stdout
    assert "origin proved" in proved.stdout
    altered = bundle / "records.jsonl"
    altered.write_bytes(altered.read_bytes().replace(b"BR-201-0001", b"BR-201-0002", 1))
    found = verify_elsewhere(bundle, trust)
    assert found.returncode == 1
    assert "records.jsonl line" in found.stdout
