"""The last result of each automated test, kept in a file between runs."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(".cache") / "test-results.json"  # below the root of the checkout

Results = dict[str, dict[str, Any]]


def worst(first: str, second: str) -> str:
    """Return the outcome of a test from those of its phases: setup, call, teardown."""
    order = ("not_run", "passed", "skipped", "failed")
    return max(first, second, key=order.index)


def store(root: Path, tests: Results, *, whole_files: bool) -> None:
    """Merge results into the file: a test keeps its last result until the test is gone.

    ``whole_files`` says that of each file in ``tests`` all tests were collected, so that a kept
    result of such a file without a test in it belongs to a test that was removed or renamed.
    """
    path = root / RESULTS
    files = {file_of(name) for name in tests} if whole_files else set()
    kept = {
        name: entry
        for name, entry in read(path).items()
        if (root / file_of(name)).is_file() and (name in tests or file_of(name) not in files)
    }
    fresh = {name: e for name, e in tests.items() if e["outcome"] != "not_run" or name not in kept}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    content = json.dumps({"tests": dict(sorted({**kept, **fresh}.items()))}, indent=1)
    unfinished.write_text(content + "\n", encoding="utf-8")
    unfinished.replace(path)


def read(path: Path) -> Results:
    """Return the kept results by test; none when there is no file, or a broken one."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["tests"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}  # a lost result makes a requirement uncovered, never covered


def file_of(name: str) -> str:
    return name.split("::")[0]
