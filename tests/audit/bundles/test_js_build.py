"""The page is what its sources make, and its sources can be read."""

import hashlib
import re

import pytest

from audit.verifier_page import build

SCRIPTS = sorted(build.SOURCES.glob("*.js"))


@pytest.mark.requirement("URS-AUD-086")
def test_the_page_is_assembled_from_its_sources():
    """When this fails: python -m audit.verifier_page.build"""
    assert build.PAGE.read_text(encoding="utf-8") == build.assembled()


@pytest.mark.requirement("URS-AUD-086")
def test_every_source_is_in_the_page():
    used = {name for entrance in build.ENTRANCES.values() for name in build.in_order(entrance, [])}
    assert used == {path.name for path in SCRIPTS}


@pytest.mark.requirement("URS-AUD-086")
def test_the_page_names_no_address_and_allows_no_connection():
    text = build.PAGE.read_text(encoding="utf-8")
    outside = set(re.findall(r"\b(?:https?|wss?|ftp):[^\s\"'`]*", text))
    assert outside == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in text
    assert "connect-src 'none'" in text
    assert "unsafe-" not in text


@pytest.mark.requirement("URS-AUD-086")
def test_the_policy_admits_the_two_scripts_and_the_style_by_digest():
    text = build.PAGE.read_text(encoding="utf-8")
    inside = re.findall(r"<(?:script|style)[^>]*>(.*?)</(?:script|style)>", text, re.DOTALL)
    assert len(inside) == 3
    for content in inside:
        assert build.digest(content) in text
    assert len(set(re.findall(r"'sha256-[^']+'", text))) == 3


def test_no_source_is_longer_than_can_be_read_in_one_sitting():
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in SCRIPTS}
    assert {name: lines for name, lines in lengths.items() if lines >= 400} == {}


@pytest.mark.requirement("URS-AUD-085")
def test_the_sources_rest_on_nothing_but_each_other():
    texts = [path.read_text(encoding="utf-8") for path in SCRIPTS]
    imports = {name for text in texts for name in re.findall(r"from \"([^\"]+)\"", text)}
    assert all(re.fullmatch(r"\./[a-z0-9_]+\.js", name) for name in imports)


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        (
            {"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'},
            "itself",
        ),
        ({"a.js": 'import { b } from "./b.js";\nconst x = 1;\n', "b.js": "const x = 2;\n"}, "x is"),
        ({"a.js": 'import b from "./b.js";\n'}, "of a form that is not known"),
        ({"a.js": "export default 1;\n"}, "of a form that is not known"),
    ],
)
def test_sources_that_one_script_cannot_hold_are_refused(monkeypatch, tmp_path, sources, says):
    for name, text in sources.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    with pytest.raises(build.BuildRefused, match=says):
        build.script("a.js")


def test_a_source_that_would_end_its_element_is_refused(monkeypatch, tmp_path):
    for path in build.SOURCES.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "main.js").open("a") as main:
        main.write('const end = "</script>";\n')
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    with pytest.raises(build.BuildRefused, match="would end its element"):
        build.assembled()


def test_the_command_writes_the_page_and_says_its_digest(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(build, "PAGE", tmp_path / "page.html")
    build.main()
    digest = hashlib.sha256((tmp_path / "page.html").read_bytes()).hexdigest()
    assert digest in capsys.readouterr().out
