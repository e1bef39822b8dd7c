"""Small enough to be read: ceilings on files and functions."""

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.requirement("URS-VAL-010")
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("audit", "models_registry", "twin_core", "validation", "iq_oq_pq", "tests")
ONE_FILE_BY_PROMISE = ROOT / "audit" / "verifier.py"  # an auditor copies it alone
LONGEST_FILE, LONGEST_FUNCTION, MEDIAN_FUNCTION = 400, 40, 10  # lines


def is_written_by_hand(path: Path) -> bool:
    return not {"migrations", "__pycache__"} & set(path.parts)


def sources() -> list[Path]:
    found = [ROOT / "manage.py"]
    for package in PACKAGES:
        found += filter(is_written_by_hand, (ROOT / package).rglob("*.py"))
    return sorted(found)


def text_lines(node: ast.AST) -> int:
    """Return how many lines are the inside of a text: a docstring, SQL, a program to run."""
    if isinstance(node, ast.Constant | ast.JoinedStr):
        return (node.end_lineno or node.lineno) - node.lineno
    return sum(text_lines(child) for child in ast.iter_child_nodes(node))


def functions(path: Path) -> list[tuple[str, int]]:
    """Return (name, lines of Python) of each function, without its decorators and texts."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1 - text_lines(node)
            found.append((f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", lines))
    return found


@pytest.mark.parametrize(
    "path",
    sorted({*sources()} - {ONE_FILE_BY_PROMISE}),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_file_is_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def test_a_function_fits_on_a_screen():
    found = (each for path in sources() for each in functions(path))
    too_long = [each for each in found if each[1] > LONGEST_FUNCTION]
    assert too_long == []


def test_most_functions_are_short():
    lengths = sorted(lines for path in sources() for _, lines in functions(path))
    assert lengths[len(lengths) // 2] < MEDIAN_FUNCTION


def test_a_long_function_would_be_found(tmp_path, monkeypatch):
    monkeypatch.setitem(functions.__globals__, "ROOT", tmp_path)
    long = tmp_path / "long.py"
    long.write_text("def far():\n" + "    x = 1\n" * (LONGEST_FUNCTION + 1))
    assert [lines for _, lines in functions(long)] == [LONGEST_FUNCTION + 2]
