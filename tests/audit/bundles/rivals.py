"""The verifiers, each called over many bundles: they must agree.

A rival takes folders, and for some of them a trust file; it returns for each whether the bundle is
sound, and the place and flaw that it names, as text.
"""

import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from audit import verifier

Verdicts = dict[Path, tuple[bool, str]]
Rival = Callable[[Sequence[Path], Mapping[Path, Path]], Verdicts]
_JAVASCRIPT = "tests.audit.bundles.js_verifier"
# Attacks that the format names, and that a verifier does not find yet: shorter with each mend.
AWAITED = {"javascript": {"sign with three keys", "add a file"}}


def python(folders: Sequence[Path], trust: Mapping[Path, Path]) -> Verdicts:
    """The one-file verifier."""
    return {folder: _asked(folder, trust.get(folder)) for folder in folders}


def _asked(folder: Path, trust: Path | None, **options: bool) -> tuple[bool, str]:
    try:
        result = verifier.verify(folder, trust, **options)
    except verifier.Flaw as flaw:  # a trust file that cannot be used
        return False, ": ".join(flaw.args)
    return result.ok, str(result.text)


def quick(folders: Sequence[Path], trust: Mapping[Path, Path]) -> Verdicts:
    """The same, without reading records."""
    return {folder: _asked(folder, trust.get(folder), is_quick=True) for folder in folders}


def javascript(folders: Sequence[Path], trust: Mapping[Path, Path]) -> Verdicts:
    """The page, in a browser."""
    run = importlib.import_module(_JAVASCRIPT).run
    found = run(list(folders), dict(trust))
    return {folder: (ok, _flaw_of(text)) for folder, (ok, text) in found.items()}


def _flaw_of(report: str) -> str:
    """The line of the page's report that names the flaw, its places written as ours; or all."""
    lines = [line for line in report.split("\n") if line.startswith("FLAW at ")]
    return re.sub(r", (line \d)", r" \1", lines[0]) if lines else report


def rivals() -> list[object]:
    """Every verifier that is here, as parameters of a test."""
    found: list[object] = [pytest.param(python, id="python")]
    if importlib.util.find_spec(_JAVASCRIPT) is not None:
        found.append(pytest.param(javascript, id="javascript", marks=pytest.mark.browser))
    return found
