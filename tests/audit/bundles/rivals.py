"""The verifiers, each called over many bundles: they must agree.

A rival takes folders, and for some of them a trust file; it returns for each whether the bundle is
sound, and the place and flaw that it names, as text.
"""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from audit import verifier

Verdicts = dict[Path, tuple[bool, str]]
Rival = Callable[[Sequence[Path], Mapping[Path, Path]], Verdicts]
_JAVASCRIPT = "tests.audit.bundles.js_verifier"


def python(folders: Sequence[Path], trust: Mapping[Path, Path]) -> Verdicts:
    """The one-file verifier."""
    results = {folder: verifier.verify(folder, trust.get(folder)) for folder in folders}
    return {folder: (result.ok, str(result.text)) for folder, result in results.items()}


def quick(folders: Sequence[Path], trust: Mapping[Path, Path]) -> Verdicts:
    """The same, without reading records."""
    found = {}
    for folder in folders:
        result = verifier.verify(folder, trust.get(folder), is_quick=True)
        found[folder] = (result.ok, str(result.text))
    return found


def javascript(folders: Sequence[Path], trust: Mapping[Path, Path]) -> Verdicts:
    """The page, in a browser."""
    run = importlib.import_module(_JAVASCRIPT).run
    return dict(run(list(folders), dict(trust)))


def rivals() -> list[object]:
    """Every verifier that is here, as parameters of a test."""
    found: list[object] = [pytest.param(python, id="python")]
    if importlib.util.find_spec(_JAVASCRIPT) is not None:
        found.append(pytest.param(javascript, id="javascript", marks=pytest.mark.browser))
    return found
