"""The certified kernel: elementary functions, integrator, balances, determinism."""

import importlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from tests.twin_core.science.simulated import DIRECTIONS
from twin_core.equipment.bioreactor.cho_fed_batch import model, parameters
from twin_core.science.kernel import build, equations_digest, selftest
from twin_core.science.kernel.build import MARKER, kernel_text, private_folder

ROOT = Path(__file__).resolve().parents[3]
CASE = selftest.reference_case(model)
FUNCTIONS = build(model).functions
FIXED = np.array(parameters.fixed_values())
CONTROLS = np.array([[0.0, 0.0, 37.0, 0.0], [72.0, 0.003, 37.0, 0.0], [120.0, 0.003, 34.0, 0.0]])
TIMES = np.arange(0.0, 241.0, 24.0)


def members(count: int) -> np.ndarray:
    return selftest.pseudo_members(count, DIRECTIONS, 0.1)


def simulate(thetas: np.ndarray, rtol: float = 1e-6) -> np.ndarray:
    states = np.empty((len(thetas), len(TIMES), 8))
    good = np.zeros(len(thetas), dtype=np.bool_)
    FUNCTIONS.simulate_members(thetas, FIXED, CONTROLS, 0.0, TIMES, rtol, states, good)
    assert good.all()
    return states


def test_the_own_exponential_and_logarithm_agree_with_the_library():
    for x in np.linspace(-40.0, 40.0, 2001):
        assert FUNCTIONS.exp_(x) == pytest.approx(math.exp(x), rel=4e-16)
    for x in np.geomspace(1e-12, 1e12, 2001):
        assert FUNCTIONS.log_(x) == pytest.approx(math.log(x), rel=4e-16, abs=4e-16)


def test_the_exponential_stays_finite_outside_its_range():
    assert 0.0 < FUNCTIONS.exp_(-1e9) < 1e-300
    assert 1e300 < FUNCTIONS.exp_(1e9) < math.inf


def test_the_own_sort_and_quantiles_agree_with_numpy():
    values = members(1)[0]
    own = values.copy()
    FUNCTIONS.sort_in_place(own, len(own))
    assert own.tolist() == sorted(values.tolist())
    assert FUNCTIONS.quantile_sorted(own, len(own), 0.05) == pytest.approx(
        np.quantile(values, 0.05), rel=1e-12
    )


def test_the_own_factorisation_solves_and_refuses_what_is_not_positive():
    a = members(20)[:, :20]
    a = a @ a.T + np.eye(20)
    root, b = a.copy(), np.ones(20)
    assert FUNCTIONS.cholesky_in_place(root, 20)
    FUNCTIONS.solve_lower(root, b, 20)
    FUNCTIONS.solve_upper(root, b, 20)
    assert a @ b == pytest.approx(np.ones(20), rel=1e-10)
    assert not FUNCTIONS.cholesky_in_place(-np.eye(3), 3)


@pytest.mark.requirement("URS-MOD-003")
def test_the_kernel_agrees_with_the_reference_case_to_1e_6():
    expected = np.array([[float(v) for v in row] for row in CASE["expected"]])
    times = np.array([float(t) for t in CASE["times_h"]])
    controls = np.array([[float(v) for v in row] for row in CASE["controls"]])
    fixed = np.array([float(v) for v in CASE["fixed"]])
    out = np.empty_like(expected)
    assert FUNCTIONS.simulate(np.zeros(DIRECTIONS), fixed, controls, 0.0, times, 1e-8, out)
    assert out == pytest.approx(expected, rel=float(CASE["tolerance_relative"]), abs=1e-9)
    assert FUNCTIONS.simulate(np.zeros(DIRECTIONS), fixed, controls, 0.0, times, 1e-6, out)
    assert out == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.requirement("URS-MOD-003")
def test_the_kernel_agrees_with_scipy_on_the_plain_balances_to_1e_6():
    theta = members(1)[0]
    p, u = np.empty(model.NUMBER_OF_CONSTANTS), np.empty(model.NUMBER_OF_INPUTS)
    y = np.empty(8)
    model.prepare(theta, FIXED, p)
    model.initial(theta, FIXED, y)

    def rates(t: float, state: np.ndarray) -> np.ndarray:
        out = np.empty(8)
        model.balances(t, state, p, u, out)
        return out

    for t in range(0, 240, 24):
        row = CONTROLS[CONTROLS[:, 0] <= t][-1]
        model.inputs(theta, FIXED, row, p, u)
        y = solve_ivp(rates, (t, t + 24), y, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    assert simulate(theta[None], 1e-8)[0, -1] == pytest.approx(y, rel=1e-6)


@pytest.mark.requirement("URS-MOD-003")
def test_mass_is_conserved_when_nothing_grows_or_dies():
    """With every rate at zero, feeding changes amounts by what is fed and nothing else."""
    fixed = FIXED.copy()
    fixed[[4, 6, 9, 21, 22, 23]] = 0.0
    for name in ("growth_limit", "death_rate", "glutamine_decay"):
        place = [q.name for q in parameters.CONSTANT].index(name)
        fixed[model.FIRST_CONSTANT + place] = 0.0
    fixed[2] = 0.0
    controls = np.array([[0.0, 0.01, 37.0, 0.1]])
    out = np.empty((2, 8))
    ends = np.array([0.0, 100.0])
    assert FUNCTIONS.simulate(np.zeros(DIRECTIONS), fixed, controls, 0.0, ends, 1e-9, out)
    amounts = out[:, 0:1] * out[:, 1:]
    fed = 0.01 * 100.0
    gained = amounts[1] - amounts[0]
    assert out[1, 0] - out[0, 0] == pytest.approx(fed, rel=1e-9)
    assert gained[2] == pytest.approx(fed * fixed[17], rel=1e-6)
    assert gained[3] == pytest.approx(fed * fixed[18], rel=1e-6)
    assert gained[[0, 1, 4, 5, 6]] == pytest.approx(np.zeros(5), abs=1e-7)


@pytest.mark.requirement("URS-MOD-003")
def test_states_stay_finite_and_not_negative_over_a_wide_range_of_members():
    states = simulate(selftest.pseudo_members(200, DIRECTIONS, 0.6))
    assert np.isfinite(states).all()
    assert (states > -1e-4).all()


@pytest.mark.requirement("URS-MOD-003")
def test_a_member_that_cannot_be_integrated_is_reported_not_numbered():
    theta = np.full(DIRECTIONS, np.nan)
    out = np.empty((len(TIMES), 8))
    assert not FUNCTIONS.simulate(theta, FIXED, CONTROLS, 0.0, TIMES, 1e-6, out)
    assert (out[-1] == -1.0).all()


@pytest.mark.requirement("URS-MOD-001")
def test_any_split_and_order_of_members_gives_the_same_bits():
    thetas = members(24)
    whole = simulate(thetas)
    assert np.array_equal(np.concatenate([simulate(thetas[:7]), simulate(thetas[7:])]), whole)
    order = np.arange(24)[::-1]
    assert np.array_equal(simulate(np.ascontiguousarray(thetas[order])), whole[order])


@pytest.mark.requirement("URS-MOD-001")
def test_compiled_and_plain_balances_give_the_same_bits():
    """The balances are the same IEEE operations compiled or not: nothing was contracted."""
    theta = members(3)[2]
    y, p, u = np.empty(8), np.empty(model.NUMBER_OF_CONSTANTS), np.empty(model.NUMBER_OF_INPUTS)
    plain, compiled = np.empty(8), np.empty(8)
    model.prepare(theta, FIXED, p)
    model.initial(theta, FIXED, y)
    model.inputs(theta, FIXED, CONTROLS[-1], p, u)
    model.balances(77.7, y, p, u, plain)
    FUNCTIONS.balances(77.7, y, p, u, compiled)
    assert plain.tobytes() == compiled.tobytes()


def run_selftest(tmp_path: Path, cpu: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_CPU_NAME": cpu}
    return subprocess.run(
        [sys.executable, "-m", "twin_core.science.kernel.selftest"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.requirement("URS-MOD-001")
def test_the_self_test_prints_its_hash_last_and_a_missing_cache_is_rebuilt_with_a_message(tmp_path):
    done = run_selftest(tmp_path, "x86-64" if os.uname().machine == "x86_64" else "generic")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == CASE["selftest_sha256"]
    assert "compiling" in done.stderr
    stamp = next(tmp_path.glob("kernel_*.host"))
    stamp.write_text("another compiler\n")
    again = run_selftest(tmp_path, "x86-64" if os.uname().machine == "x86_64" else "generic")
    assert again.returncode == 0
    assert "compiled elsewhere" in again.stderr


@pytest.mark.requirement("URS-MOD-001")
def test_the_self_test_fails_when_the_hash_is_not_the_one_on_file(monkeypatch, capsys):
    monkeypatch.setattr(selftest, "reference_case", lambda _: {**CASE, "selftest_sha256": "0" * 64})
    assert selftest.main([]) == 1
    assert "NOT as on file" in capsys.readouterr().out


@pytest.mark.requirement("URS-MOD-001")
def test_the_kernel_calls_nothing_but_its_own_arithmetic():
    """No library function beyond sqrt, min, max and array making stands in the kernel text."""
    text = kernel_text(model).split("error_model", 1)[1]
    for word in ("math.", "np.exp", "np.log", "np.dot", "@ ", "np.sum", "np.mean", "fastmath=True"):
        assert word not in text.replace("np.empty", ""), word
    for part in ("arithmetic", "integrator", "conditioning"):
        module = importlib.import_module(f"twin_core.science.kernel.{part}")
        assert MARKER in Path(str(module.__file__)).read_text(encoding="utf-8")


@pytest.mark.requirement("URS-MOD-002")
def test_a_changed_equation_has_another_digest(monkeypatch):
    before = equations_digest(model)
    changed = kernel_text(model).replace("HUBER = 2.5", "HUBER = 2.6")
    monkeypatch.setattr(
        sys.modules["twin_core.science.kernel.build"], "kernel_text", lambda _: changed
    )
    assert equations_digest(model) != before


def test_a_cache_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    os.chown(tmp_path, 54321, -1) if os.geteuid() == 0 else pytest.skip("needs root to chown")
    with pytest.raises(PermissionError, match="folder of your own"):
        private_folder(tmp_path)


def test_the_reference_case_is_data_alone():
    assert json.dumps(CASE)
    assert len(CASE["fixed"]) == len(FIXED)
