"""Requirement files are read strictly: what breaks the format is refused by name."""

import pytest

from validation import requirements
from validation.requirements import RequirementInvalid

GOOD = """---
id: URS-TST-001
title: A probe is probed
risk: high
clauses: [part11-11.10-e]
---
The system shall probe.
"""


@pytest.mark.requirement("URS-VAL-001")
def test_a_file_in_the_format_is_read_whole():
    found = requirements.parse(GOOD, name="URS-TST-001.md")
    assert (found.id, found.risk, found.clauses) == ("URS-TST-001", "high", ("part11-11.10-e",))
    assert found.text == "The system shall probe."


@pytest.mark.requirement("URS-VAL-001")
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("title: A", "owner: me\ntitle: A"), "unknown field owner"),
        (("risk: high\n", ""), "field risk is missing"),
        (("risk: high", "risk: huge"), "risk must be one of"),
        (("clauses: [part11-11.10-e]", "clauses: part11-11.10-e"), "must be a list"),
        (("clauses: [part11-11.10-e]", "clauses: [part11"), "not YAML"),
        (("title: A probe is probed", "title:"), "title must be a sentence"),
        (("id: URS-TST-001", "id: URS-1"), "must look like"),
        (("id: URS-TST-001", "id: URS-TST-002"), "must bear one name"),
        (("risk: high", "risk: high\nrisk: low"), "stands twice"),
        (("---\nid", "id"), "begin with front matter"),
    ],
)
def test_a_file_outside_the_format_is_refused_and_named(change, complaint):
    with pytest.raises(RequirementInvalid, match=complaint) as refused:
        requirements.parse(GOOD.replace(*change, 1), name="URS-TST-001.md")
    assert str(refused.value).startswith("URS-TST-001.md")


@pytest.mark.requirement("URS-VAL-001")
def test_any_change_of_the_text_changes_the_fingerprint():
    before = requirements.parse(GOOD, name="URS-TST-001.md")
    after = requirements.parse(GOOD.replace("shall probe", "should probe"), name="URS-TST-001.md")
    assert before.fingerprint != after.fingerprint


@pytest.mark.requirement("URS-VAL-001")
def test_a_missing_folder_is_an_error_and_not_an_empty_catalogue(tmp_path):
    with pytest.raises(RequirementInvalid, match="is missing"):
        requirements.load(tmp_path / "requirements")


@pytest.mark.requirement("URS-VAL-001")
def test_a_folder_is_read_in_the_order_of_identifiers(tmp_path):
    for number in ("002", "001"):
        content = GOOD.replace("URS-TST-001", f"URS-TST-{number}")
        (tmp_path / f"URS-TST-{number}.md").write_text(content, encoding="utf-8")
    assert list(requirements.load(tmp_path)) == ["URS-TST-001", "URS-TST-002"]
