"""The verifier page before a person: opened from its file, by mouse, by keyboard, by a reader."""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from audit.verifier_page.build import PAGE
from tests import chromium
from tests.audit.bundles import js_ledger as made
from tests.audit.bundles import js_verifier
from tests.audit.bundles.js_ledger import FIRST, payload
from tests.audit.bundles.js_verifier import VECTORS, WITHOUT_CRYPTO

pytestmark = pytest.mark.browser
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WITHOUT_WORKER = "delete globalThis.Worker;"
Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        arguments = js_verifier.ARGUMENTS
        opened = play.chromium.launch(executable_path=chromium.find(), args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    """Open the page from its file; what it complained of or asked for is kept in lists."""
    contexts = []

    def go(*, scheme: str = "light", width: int = 1280, before: str = "") -> Any:
        size = {"width": width, "height": 900}
        context = browser.new_context(color_scheme=scheme, viewport=size)
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.requests = [], []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda said: page.complaints.append(said.text))
        page.on("request", lambda asked: page.requests.append(asked.url))
        if before:
            page.add_init_script(before)
        page.goto(PAGE.as_uri())
        return page

    yield go
    for context in contexts:
        context.close()


def verdict(page: Any) -> str:
    page.wait_for_selector("#outcome:not([hidden]) #verdict")
    return page.text_content("#verdict")


def violations(page: Any) -> list[tuple[str, Any]]:
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found]


@pytest.fixture
def trust_file(tmp_path: Path) -> Path:
    place = tmp_path / "trust.txt"
    place.write_bytes((VECTORS / "complete" / "keys.txt").read_bytes())
    return place


@pytest.fixture
def flawed(tmp_path: Path) -> Path:
    """The complete vector with one bit flipped in its fifth record."""
    folder = tmp_path / "flawed"
    for path in (VECTORS / "complete").rglob("*"):
        if path.is_file():
            place = folder / path.relative_to(VECTORS / "complete")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    rows = (folder / "records.jsonl").read_bytes().split(b"\n")
    rows[4] = rows[4].replace(b"Connector", b"Connectos")
    (folder / "records.jsonl").write_bytes(b"\n".join(rows))
    return folder


@pytest.mark.requirement("URS-AUD-088")
@pytest.mark.parametrize(
    "before", ["", WITHOUT_CRYPTO, WITHOUT_WORKER], ids=["as it is", "bare", "no worker"]
)
def test_the_three_verdicts(visit, trust_file, flawed, before):
    page = visit(before=before)
    page.set_input_files("#folder", VECTORS / "complete")
    assert verdict(page) == "Consistent, origin not proved"
    page.set_input_files("#trust", trust_file)
    page.wait_for_selector("[data-verdict=sound]")
    assert verdict(page) == "Sound, origin proved"
    page.set_input_files("#folder", flawed)
    page.wait_for_selector("[data-verdict=flaw]")
    assert "records.jsonl line 5 (sequence 4, block 2)" in page.text_content("[data-verdict]")
    assert page.complaints == []


@pytest.mark.requirement("URS-AUD-086")
def test_the_page_asks_for_nothing_and_may_ask_for_nothing(visit):
    page = visit()
    page.set_input_files("#folder", VECTORS / "selection")
    verdict(page)
    assert {url.split(":")[0] for url in page.requests} <= {"file", "blob"}
    assert [url for url in page.requests if url.startswith("file")] == [PAGE.as_uri()]
    refused = "fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"
    assert page.evaluate(refused) == "refused"
    assert any("Content Security Policy" in said for said in page.complaints)


@pytest.mark.requirement("URS-AUD-086")
def test_no_other_script_runs_in_the_page(visit):
    page = visit()
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'window.ran = 1'}))"
    )
    assert page.evaluate("window.ran") is None


@pytest.mark.requirement("URS-AUD-088")
def test_the_page_shows_its_own_digest_and_the_report_bears_it(visit):
    page = visit()
    digest = hashlib.sha256(PAGE.read_bytes()).hexdigest()
    assert page.text_content("#own-digest") == digest
    page.set_input_files("#folder", VECTORS / "complete")
    verdict(page)
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Save the report").click()
    report = Path(downloading.value.path()).read_text(encoding="utf-8")
    assert report.startswith("CONSISTENT, ORIGIN NOT PROVED\n")
    assert f"Verifier page SHA-256 {digest}" in report
    assert re.search(r"Checked at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: complete", report)


@pytest.mark.requirement("URS-AUD-088")
def test_the_report_is_copied(visit):
    page = visit(
        before="navigator.clipboard.writeText = async (text) => { window.copied = text; };"
    )
    page.set_input_files("#folder", VECTORS / "complete")
    verdict(page)
    page.get_by_role("button", name="Copy the report").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("copied").startswith("CONSISTENT, ORIGIN NOT PROVED\n")


@pytest.mark.requirement("URS-AUD-089")
def test_records_are_listed_only_after_a_check_without_a_flaw(visit, flawed):
    page = visit()
    page.set_input_files("#folder", VECTORS / "complete")
    verdict(page)
    page.wait_for_selector("[data-sequence]")
    page.set_input_files("#folder", flawed)
    page.wait_for_selector("[data-verdict=flaw]")
    assert not page.locator("#records").is_visible()
    assert page.locator("[data-sequence]").count() == 0


@pytest.fixture
def long_bundle(tmp_path: Path) -> Path:
    """140 records; one of them changes something."""
    plan = made.plan((40, 50, 50), (2,))
    change = {"new": {"a": 1, "t": {"unit": "K", "value": "253.15"}}, "old": {"a": 1, "t": None}}
    told = {**change, "subject": {"id": "S-1", "type": "sample"}}
    plan.blocks[1].entries[7].payload = payload(47, changes=[told], reason="a typing error")
    for block in plan.blocks:
        for entry in block.entries:
            entry.transaction = block.first
    return made.write(made.Maker(plan).files(), tmp_path / "long")


@pytest.mark.requirement("URS-AUD-089")
def test_records_are_found_turned_over_and_read_old_beside_new(visit, long_bundle):
    page = visit()
    page.set_input_files("#folder", long_bundle)
    page.wait_for_selector("[data-sequence='0']")
    assert page.locator("[data-sequence]").count() == 25
    page.get_by_role("button", name="Next page").click()
    page.wait_for_selector("[data-sequence='25']")
    page.get_by_role("button", name="Earlier page").click()
    page.wait_for_selector("[data-sequence='0']")
    page.fill("#filter", "TYPING error")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-sequence='47']")
    assert page.locator("[data-sequence]").count() == 1
    page.locator("[data-sequence='47'] > summary").click()
    page.wait_for_selector("[data-sequence='47'] .body")
    cells = page.locator("[data-sequence='47'] tbody tr").last.locator("td").all_text_contents()
    assert cells == ["none", "253.15 K"]
    page.fill("#filter", "nowhere")
    page.keyboard.press("Enter")
    page.get_by_text("No record contains all these words.").wait_for()


@pytest.mark.requirement("URS-AUD-089")
def test_what_a_record_says_never_becomes_markup(visit, tmp_path):
    plan = made.plan()
    evil = "<img src=x onerror='window.ran=1'>"
    plan.blocks[0].entries[0].payload = payload(0, reason=evil, kind=evil, stream=evil)
    page = visit()
    page.set_input_files("#folder", made.write(made.Maker(plan).files(), tmp_path / "evil"))
    page.wait_for_selector("[data-sequence='0']")
    page.locator("[data-sequence='0'] > summary").click()
    page.wait_for_selector("[data-sequence='0'] .body")
    assert page.locator("[data-sequence='0'] .kind").text_content() == evil
    assert page.locator("img").count() == 0


@pytest.mark.requirement("URS-AUD-089")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_on_any_view(visit, trust_file, flawed, scheme, width):
    page = visit(scheme=scheme, width=width)
    assert violations(page) == []
    for folder in (VECTORS / "selection", flawed):
        page.set_input_files("#folder", folder)
        verdict(page)
        page.wait_for_selector(f"[data-verdict={'flaw' if folder == flawed else 'consistent'}]")
        assert violations(page) == []
    page.set_input_files("#folder", VECTORS / "complete")
    page.set_input_files("#trust", trust_file)
    page.wait_for_selector("[data-verdict=sound]")
    page.wait_for_selector("[data-sequence='4']")
    page.locator("[data-sequence='4'] > summary").click()
    page.wait_for_selector("[data-sequence='4'] .body")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.requirement("URS-AUD-089")
def test_the_keyboard_alone_reaches_everything(visit):
    page = visit()
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.id || document.activeElement.className")
        )
    assert reached == ["skip", "folder", "zip", "trust"]
    with page.expect_file_chooser() as choosing:
        page.locator("#folder").focus()
        page.keyboard.press("Enter")
    choosing.value.set_files(VECTORS / "complete")
    verdict(page)
    assert page.evaluate("document.activeElement.id") == "verdict"
    assert page.text_content("#said") == "CONSISTENT, ORIGIN NOT PROVED"
    page.wait_for_selector("[data-sequence='0']")
    page.locator("[data-sequence='0'] > summary").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-sequence='0'] .body")


@pytest.mark.requirement("URS-AUD-089")
def test_a_dropped_folder_is_walked_and_a_dropped_trust_file_is_trust(visit, trust_file):
    page = visit()
    files = js_verifier.contents_of(VECTORS / "complete")
    page.evaluate(DROP, {"files": files, "zone": "bundle-zone"})
    assert verdict(page) == "Consistent, origin not proved"
    given = {"trust.txt": js_verifier.encoded(trust_file.read_bytes())}
    page.evaluate(DROP, {"files": given, "zone": "trust-zone"})
    page.wait_for_selector("[data-verdict=sound]")
    assert page.text_content("#trust-name") == "trust.txt"
    page.get_by_role("button", name="Without it").click()
    page.wait_for_selector("[data-verdict=consistent]")


# A browser gives real directory entries only to a real mouse: these say and do the same.
DROP = """({ files, zone }) => {
  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const entryOf = (path, text) => ({ isFile: true, fullPath: `/${path}`,
    file: (done) => done(new File([bytes(text)], path.split("/").pop())) });
  const single = Object.keys(files).length === 1;
  const children = Object.entries(files).map(([path, text]) =>
    entryOf(single ? path : `b/${path}`, text));
  const folder = { isFile: false, fullPath: "/b", createReader: () => {
    let rest = children;
    const next = () => { const some = rest.slice(0, 3); rest = rest.slice(3); return some; };
    return { readEntries: (done) => done(next()) };
  } };
  const event = new Event("drop", { bubbles: true, cancelable: true });
  const item = { webkitGetAsEntry: () => (single ? children[0] : folder) };
  event.dataTransfer = { items: [item], files: [] };
  document.getElementById(zone).dispatchEvent(event);
}"""


@pytest.mark.requirement("URS-AUD-089")
def test_on_paper_the_verdict_stands_without_buttons_and_records(visit):
    page = visit()
    page.set_input_files("#folder", VECTORS / "complete")
    verdict(page)
    page.emulate_media(media="print")
    assert page.locator("[data-verdict]").is_visible()
    assert page.locator("#own-digest").is_visible()
    for hidden in (".acts", "#records", ".intake"):
        assert not page.locator(hidden).is_visible()


@pytest.mark.requirement("URS-AUD-089")
def test_a_check_can_be_stopped(visit, tmp_path):
    """The browser's digest never answers here, so that the check surely is still going on."""
    plan = made.plan()
    plan.blobs = [bytes(300_000)]
    slow = "SubtleCrypto.prototype.digest = () => new Promise(() => {});"
    page = visit(before=f"{slow} {WITHOUT_WORKER}")
    page.set_input_files("#folder", made.write(made.Maker(plan).files(), tmp_path / "slow"))
    page.get_by_role("button", name="Stop").click()
    assert not page.locator("#working").is_visible()
    assert page.text_content("#said") == "Stopped; nothing was judged"
    page.set_input_files("#trust", tmp_path / "slow" / "keys.txt")
    page.locator("#trust-name", has_text="keys.txt").wait_for()


@pytest.mark.requirement("URS-AUD-089")
def test_records_that_cannot_be_read_again_are_said_to_be_gone(visit, long_bundle):
    page = visit()
    page.set_input_files("#folder", long_bundle)
    page.wait_for_selector("[data-sequence='0']")
    (long_bundle / "records.jsonl").unlink()
    page.get_by_role("button", name="Next page").click()
    page.get_by_text("The records could not be read again").wait_for()
    assert verdict(page) == "Consistent, origin not proved"


def test_our_own_key_proves_our_own_bundle(visit, long_bundle, tmp_path):
    (tmp_path / "k.txt").write_text(f"# ours\n{FIRST.text}\n")
    page = visit()
    page.set_input_files("#trust", tmp_path / "k.txt")
    page.set_input_files("#folder", long_bundle)
    assert verdict(page) == "Sound, origin proved"
    assert page.locator(".key .tag").text_content() == "trusted"
