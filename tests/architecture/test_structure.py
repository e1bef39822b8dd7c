"""The house keeps its rules: forbidden constructs, names, licence, requirements."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from audit.software import PACKAGES
from validation import requirements

ROOT = Path(__file__).resolve().parents[2]
NAMES_NOT_USED = {"utils", "helpers", "common", "manager", "handler", "base"}
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
REGISTRIES = re.compile(r"(?i)\b(pypi\.org|pythonhosted\.org|registry\.npmjs\.org|conda\.anaconda)")
CLAUSES = ROOT / "docs" / "validation" / "clauses.yaml"


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


SOURCES = [path for name in (*PACKAGES, "tests") for path in (ROOT / name).rglob("*.py")]
OURS = sorted(path for path in SOURCES if "migrations" not in path.parts)


def imported_by(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.requirement("URS-VAL-010")
def test_nothing_stored_can_be_executed_when_it_is_read():
    unsafe = {place(path): bad for path in OURS if (bad := imported_by(path) & UNSAFE_MODULES)}
    assert unsafe == {}


@pytest.mark.requirement("URS-VAL-010")
@pytest.mark.parametrize(
    "text", ["import pickle", "from pickle import loads", "import pickle as p"]
)
def test_an_unsafe_import_would_be_found(tmp_path, text):
    (tmp_path / "unsafe.py").write_text(text)
    assert imported_by(tmp_path / "unsafe.py") & UNSAFE_MODULES


@pytest.mark.requirement("URS-VAL-010")
def test_no_module_has_a_name_that_says_nothing():
    assert [place(path) for path in OURS if path.stem in NAMES_NOT_USED] == []


@pytest.mark.requirement("URS-VAL-010")
def test_no_tracked_file_names_a_package_registry():
    named = []
    for path in tracked():
        if path == Path(__file__).resolve():
            continue
        content = path.read_bytes()
        if b"\0" not in content[:1024] and REGISTRIES.search(content.decode(errors="replace")):
            named.append(place(path))
    assert named == []


@pytest.mark.requirement("URS-VAL-010")
def test_the_licence_is_there_and_declared():
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.requirement("URS-VAL-001")
def test_every_requirement_is_valid_and_says_shall_why_and_when_not():
    found = requirements.load(ROOT / "docs" / "requirements").values()
    assert found
    incomplete = [
        each.id
        for each in found
        if " shall " not in each.text
        or "**Rationale**" not in each.text
        or "**Negative case**" not in each.text
    ]
    assert incomplete == []


@pytest.mark.requirement("URS-VAL-001")
def test_every_clause_that_a_requirement_cites_is_listed():
    listed = yaml.safe_load(CLAUSES.read_text(encoding="utf-8"))
    found = requirements.load(ROOT / "docs" / "requirements").values()
    unknown = {each.id: missing for each in found if (missing := set(each.clauses) - set(listed))}
    assert unknown == {}
