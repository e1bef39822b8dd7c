"""Files as served: vendored ones unchanged, templates without inline code, colours in contrast."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.web.gallery import PAGES, STATIC, TEMPLATE_DIRS, render
from twin_core.web import icons, states

VENDOR = STATIC / "vendor"
INLINE = re.compile(
    r"""<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:|hx-on|hx-vals\s*=\s*['"]js:|<script(?![^>]*\ssrc=)""",
    re.IGNORECASE,
)
ELSEWHERE = re.compile(r"""(?:src|href|url\()\s*=?\s*['"]?(?:https?:)?//""", re.IGNORECASE)
OWN_FILES = {"handover.html"}  # handed over as a file that stands alone, never served as a page
TEMPLATES = sorted(
    path
    for folder in TEMPLATE_DIRS
    for path in folder.rglob("*.html")
    if path.name not in OWN_FILES
)


def entries() -> list[dict[str, str]]:
    return json.loads((VENDOR / "vendor.json").read_text(encoding="utf-8"))


def flaws_of(folder: Path, listed: list[dict[str, str]]) -> list[str]:
    """Return what differs between the folder and the list."""
    there = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "vendor.json"
    }
    told = {entry["file"]: entry["sha256"] for entry in listed}
    return sorted(name for name in there.keys() | told.keys() if there.get(name) != told.get(name))


@pytest.mark.requirement("URS-WEB-025")
def test_vendored_files_are_those_of_the_list():
    assert flaws_of(VENDOR, entries()) == []
    for entry in entries():
        assert set(entry) == {"name", "version", "licence", "source", "file", "sha256"}
        assert entry["file"].startswith(f"{entry['name']}-{entry['version']}/")
    folders = {entry["file"].split("/")[0] for entry in entries()}
    assert folders == {
        entry["file"].split("/")[0] for entry in entries() if "LICENSE" in entry["file"]
    }


@pytest.mark.requirement("URS-WEB-025")
def test_a_changed_added_or_missing_file_is_found(tmp_path):
    for name in ("kept.js", "changed.js", "added.js"):
        (tmp_path / name).write_text(name)
    listed = [
        {"file": name, "sha256": hashlib.sha256(name.encode()).hexdigest()}
        for name in ("kept.js", "changed.js", "missing.js")
    ]
    (tmp_path / "changed.js").write_text("x")
    assert flaws_of(tmp_path, listed) == ["added.js", "changed.js", "missing.js"]


@pytest.mark.requirement("URS-WEB-001")
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_inline_code_and_asks_nobody_else(path):
    text = path.read_text(encoding="utf-8")
    assert INLINE.findall(text) == []
    assert ELSEWHERE.findall(text) == []


@pytest.mark.requirement("URS-WEB-001")
@pytest.mark.parametrize("name", PAGES)
def test_a_page_as_sent_has_no_inline_code(name):
    sent = re.sub(r'<script id="[\w-]+" type="application/json">', "", render(name))
    assert INLINE.findall(sent) == []


@pytest.mark.parametrize(
    "bad",
    ["<p style='x'>", "<style>", '<a onclick="x()">', "<script>x", "<a href='javascript:x'>"],
)
def test_inline_code_would_be_found(bad):
    assert INLINE.search(bad)


@pytest.mark.requirement("URS-WEB-001")
def test_our_scripts_neither_evaluate_text_nor_write_markup():
    for path in (STATIC / "web").glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\beval\(|new Function|innerHTML|document\.write|outerHTML", text), (
            path
        )


@pytest.mark.requirement("URS-WEB-023")
@pytest.mark.parametrize("state", states.LOOKS)
def test_each_state_has_a_shape_beside_its_colour(state):
    look = states.look_of(state)
    assert look.icon in icons.PATHS
    assert look.tone in {"ok", "warn", "bad", "info", "wait", "off"}


@pytest.mark.requirement("URS-WEB-023")
def test_two_tones_never_share_a_shape():
    shapes: dict[str, set[str]] = {}
    for look in states.LOOKS.values():
        shapes.setdefault(look.icon, set()).add(look.tone)
    assert {icon: tones for icon, tones in shapes.items() if len(tones) > 1} == {}
