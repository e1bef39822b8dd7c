"""Every page in a real browser: axe finds nothing, the policy blocks nothing, keys work."""

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.web import gallery

pytestmark = pytest.mark.browser
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Any) -> list[tuple[str, Any]]:
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found]


@pytest.mark.requirement("URS-WEB-002")
@pytest.mark.requirement("URS-WEB-001")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
@pytest.mark.parametrize("name", gallery.PAGES)
def test_axe_and_the_policy_find_nothing_and_no_page_scrolls_sideways(visit, name, scheme, width):
    page = visit(name, scheme=scheme, width=width)
    assert violations(page) == []
    assert page.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.requirement("URS-WEB-001")
def test_the_policy_of_the_gallery_would_stop_inline_code(visit):
    page = visit("desk")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'window.ran = 1'}))"
    )
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in said for said in page.complaints)


@pytest.mark.requirement("URS-WEB-002")
def test_axe_would_find_a_button_without_a_name(visit):
    page = visit("desk")
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert "button-name" in dict(violations(page))


@pytest.mark.requirement("URS-WEB-002")
def test_a_list_is_walked_with_keys(visit):
    page = visit("desk")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent").startswith("Harvest")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.textContent").startswith("Raise the feed")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/t")


@pytest.mark.requirement("URS-WEB-002")
def test_keys_do_nothing_while_one_types_or_when_switched_off(visit):
    page = visit("trail")
    page.keyboard.press("/")
    page.keyboard.type("j?gt")
    assert page.locator("[data-search]").input_value() == "j?gt"
    page.locator("h1").click()
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    page.locator("[data-keys-on]").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert not page.locator("#keys").is_visible()


@pytest.mark.requirement("URS-WEB-024")
def test_a_chart_is_read_with_keys_and_as_a_table(visit):
    page = visit("batch")
    plot = page.locator("#table-vcd").locator("xpath=preceding-sibling::*[@role='img']")
    assert "Viable cell density" in plot.get_attribute("aria-label")
    plot.focus()
    page.keyboard.press("Home")
    said = plot.locator("xpath=following-sibling::*[@aria-live='polite']")
    assert said.inner_text().startswith("0 h: Estimate 0.182")
    page.get_by_role("button", name="Table of Viable cell density").click()
    rows = page.locator("#table-vcd tbody tr")
    assert rows.last.locator("th").inner_text() == "336"
    assert rows.last.locator("td").count() == 5  # estimate, forecast with its edges, laboratory


@pytest.mark.requirement("URS-WEB-024")
def test_a_chart_is_saved_as_csv_with_its_unit(visit):
    page = visit("batch")
    with page.expect_download() as saving:
        page.get_by_role("button", name="CSV of Metabolites").click()
    lines = Path(saving.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith('"process time, h",Glucose (mM)')
    assert len(lines) == 1 + 85


@pytest.mark.requirement("URS-WEB-024")
def test_new_points_reach_chart_readout_and_table(visit):
    page = visit("batch")
    page.get_by_role("button", name="Table of Metabolites").click()
    page.evaluate(
        "(chart => { chart.spec.series[0].points.push([170, 9.5]); chart.update(); })"
        "(document.querySelector('[data-chart=metabolites]').chart)"
    )
    assert "Glucose 9.5 at 170 h" in page.locator("[data-chart=metabolites]").inner_text()
    assert page.locator("#table-metabolites tbody tr").last.inner_text().startswith("170")


@pytest.mark.requirement("URS-WEB-024")
def test_a_stream_feeds_the_chart_and_is_taken_up_again_when_it_breaks(visit):
    page = visit("batch-live")
    readout = page.locator("[data-chart=vcd] .chart-readout")
    readout.get_by_text("Laboratory 15.5 at 166 h").wait_for()
    with page.expect_request("**/live/stream"):  # the server ended the first answer
        pass
    assert page.locator("[data-live]").inner_text() in {"live", "reconnecting"}


@pytest.mark.requirement("URS-WEB-024")
def test_a_chart_without_readable_data_says_so(visit):
    page = visit("batch")
    page.route("**/static/web/charts.js", lambda route: broken(route, page))
    page.reload()
    assert "could not be drawn" in page.locator("[data-chart=vcd]").inner_text()


def broken(route: Any, page: Any) -> None:
    """Serve the charts' module after their data was damaged."""
    page.evaluate("document.getElementById('vcd').textContent = '{'")
    route.continue_()


@pytest.mark.requirement("URS-WEB-002")
def test_a_refused_signature_opens_its_dialog_again_at_the_flaw(visit):
    page = visit("recommendation-sign")
    assert page.locator("#sign").is_visible()
    assert "nothing was signed" in page.locator("#sign").inner_text()
    assert page.evaluate("document.activeElement.name") == "reason"
    assert "accepted in" in page.locator("#sign").inner_text()


@pytest.mark.requirement("URS-WEB-007")
def test_a_decision_prints_on_one_page_without_anything_to_click(visit):
    page = visit("decision")
    paper = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
    page.emulate_media(media="print")
    for seen in ("nav.nav", "button.copy >> nth=0", ".actions >> nth=0"):
        assert not page.locator(seen).is_visible()
    text = page.locator("body").inner_text()
    assert "Printed 20" in text
    assert "Anna Meier" in text
    assert "Version 0.1.0" in text
