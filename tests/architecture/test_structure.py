"""The house keeps its rules: directions, sizes, forbidden constructs, licence, requirements."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from audit.software import PACKAGES
from validation import requirements

ROOT = Path(__file__).resolve().parents[2]
FILE_CEILING, FUNCTION_CEILING = 400, 40  # lines
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


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions_of(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def length_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without its docstring, which may explain at length."""
    total = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        total -= (first.end_lineno or 0) - first.lineno + 1
    return total


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
def test_the_import_contracts_are_kept():
    outcome = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert " kept, 0 broken" in outcome.stdout


@pytest.mark.requirement("URS-VAL-010")
def test_no_file_is_longer_than_one_sitting():
    long = {place(path): lines_of(path) for path in OURS if lines_of(path) > FILE_CEILING}
    assert long == {}


@pytest.mark.requirement("URS-VAL-010")
def test_no_function_is_longer_than_a_screen():
    long = [
        (place(path), function.name, length_of(function))
        for path in OURS
        for function in functions_of(path)
        if length_of(function) > FUNCTION_CEILING
    ]
    assert long == []


@pytest.mark.requirement("URS-VAL-010")
def test_a_function_above_the_ceiling_would_be_found(tmp_path):
    body = "    x = 1\n" * FUNCTION_CEILING
    (tmp_path / "long.py").write_text(f'def f():\n    """Doc."""\n{body}')
    assert [length_of(each) for each in functions_of(tmp_path / "long.py")] == [41]


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
