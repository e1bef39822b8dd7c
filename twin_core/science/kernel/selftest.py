"""Recompute a fixed set of members and compare their hash with the one on file.

    python -m twin_core.science.kernel.selftest [MODEL]

MODEL is the dotted name of a process model's equations; beside it lies ``reference.json``
with the inputs and the expected hash. The last line printed is the hash; exit status 1 when
it is another than the one on file: this host or installation must not compute for records.
"""

import hashlib
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from twin_core.science.kernel.build import Kernel, build

DEFAULT = "twin_core.equipment.bioreactor.cho_fed_batch.model"
MEMBERS = 16
MIDDLE = 2**32  # the counter below gives numbers in (-1, 1)


def pseudo_members(count: int, directions: int, width: float) -> np.ndarray:
    """Return fixed member offsets in (-width, width) from an integer counter: no library."""
    state, rows = 88172645463325252, []
    for _ in range(count):
        row = []
        for _ in range(directions):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            row.append(width * ((state >> 31) / MIDDLE - 1.0))
        rows.append(row)
    return np.array(rows)


def selftest_hash(kernel: Kernel, case: dict[str, Any]) -> str:
    """Return the SHA-256 over simulation, conditioning and statistics of the fixed members."""
    functions = kernel.functions
    fixed = np.array([float(v) for v in case["fixed"]])
    controls = np.array([[float(v) for v in row] for row in case["controls"]])
    times = np.array([float(v) for v in case["times_h"]])
    directions = functions.FIRST_CONSTANT
    thetas = pseudo_members(MEMBERS, directions, 0.1)
    states = np.empty((MEMBERS, len(times), functions.NUMBER_OF_STATES))
    good = np.zeros(MEMBERS, dtype=np.bool_)
    functions.simulate_members(thetas, fixed, controls, 0.0, times, 1e-6, states, good)
    tags = np.arange(8)
    values = np.empty((MEMBERS, len(times), 8))
    size = np.full(8, 0.05)
    noise = pseudo_members(MEMBERS, 8, 1.0)
    functions.observe_members(states, good, tags, noise, size, size, values)
    band = np.empty((len(times), 8, 3))
    functions.summarise(values, good, 0.05, 0.95, band)
    x, root = conditioned(kernel, states[0], fixed, controls, times, directions)
    parts = (states, good, values, band, x, root)
    return hashlib.sha256(b"".join(np.ascontiguousarray(p).tobytes() for p in parts)).hexdigest()


def conditioned(
    kernel: Kernel,
    states: np.ndarray,
    fixed: np.ndarray,
    controls: np.ndarray,
    times: np.ndarray,
    directions: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Condition the mean member on the first member's cells and viability."""
    which = np.repeat(np.arange(len(times)), 2)
    tag = np.tile(np.array([0, 1]), len(times))
    value = np.array(
        [kernel.functions.observe(states[i], t) for i, t in zip(which, tag, strict=True)]
    )
    sigma = np.where(tag == 0, 0.05, 0.7)
    x, root, residual = np.zeros(directions), np.eye(directions), np.zeros(len(value))
    given = (fixed, controls, times, which, tag, value, sigma, 1e-6)
    mean, factor = np.zeros(directions), 0.1 * np.eye(directions)
    kernel.functions.condition(mean, factor, given, 4, x, root, residual)
    return x, np.tril(root)


def reference_case(model: ModuleType) -> dict[str, Any]:
    """Return the reference case beside a model's equations."""
    path = Path(str(model.__file__)).with_name("reference.json")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def main(arguments: list[str]) -> int:
    model = importlib.import_module(arguments[0] if arguments else DEFAULT)
    case = reference_case(model)
    kernel = build(model)
    found = selftest_hash(kernel, case)
    expected = case["selftest_sha256"]
    verdict = "as on file" if found == expected else f"NOT as on file ({expected})"
    print(f"kernel {kernel.digest}")
    print(f"{MEMBERS} members: {verdict}")
    print(found)
    return 0 if found == expected else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
