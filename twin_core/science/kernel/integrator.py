"""Dormand-Prince 5(4) for one member: its steps depend on its own bits alone."""
# ruff: noqa: F821  the process model's functions stand before these in the generated module
# mypy: ignore-errors

import math

import numpy as np

from twin_core.science.kernel.plain import compiled

sqrt = math.sqrt
# kernel source below


@compiled
def stages(t, h, y, p, u, k, z):
    """Fill k[1..6] from k[0] and leave the fifth-order result in z."""
    n = y.shape[0]
    for i in range(n):
        z[i] = y[i] + h * (0.2 * k[0, i])
    balances(t + 0.2 * h, z, p, u, k[1])
    for i in range(n):
        z[i] = y[i] + h * (3.0 / 40.0 * k[0, i] + 9.0 / 40.0 * k[1, i])
    balances(t + 0.3 * h, z, p, u, k[2])
    for i in range(n):
        z[i] = y[i] + h * (44.0 / 45.0 * k[0, i] - 56.0 / 15.0 * k[1, i] + 32.0 / 9.0 * k[2, i])
    balances(t + 0.8 * h, z, p, u, k[3])
    for i in range(n):
        z[i] = y[i] + h * (
            19372.0 / 6561.0 * k[0, i]
            - 25360.0 / 2187.0 * k[1, i]
            + 64448.0 / 6561.0 * k[2, i]
            - 212.0 / 729.0 * k[3, i]
        )
    balances(t + 8.0 / 9.0 * h, z, p, u, k[4])
    for i in range(n):
        z[i] = y[i] + h * (
            9017.0 / 3168.0 * k[0, i]
            - 355.0 / 33.0 * k[1, i]
            + 46732.0 / 5247.0 * k[2, i]
            + 49.0 / 176.0 * k[3, i]
            - 5103.0 / 18656.0 * k[4, i]
        )
    balances(t + h, z, p, u, k[5])
    for i in range(n):
        z[i] = y[i] + h * (
            35.0 / 384.0 * k[0, i]
            + 500.0 / 1113.0 * k[2, i]
            + 125.0 / 192.0 * k[3, i]
            - 2187.0 / 6784.0 * k[4, i]
            + 11.0 / 84.0 * k[5, i]
        )
    balances(t + h, z, p, u, k[6])


@compiled
def step_error(h, y, k, rtol):
    """Return the scaled difference of the fifth- and fourth-order results; accept at <= 1."""
    n = y.shape[0]
    total = 0.0
    for i in range(n):
        e = h * (
            71.0 / 57600.0 * k[0, i]
            - 71.0 / 16695.0 * k[2, i]
            + 71.0 / 1920.0 * k[3, i]
            - 17253.0 / 339200.0 * k[4, i]
            + 22.0 / 525.0 * k[5, i]
            - 1.0 / 40.0 * k[6, i]
        )
        s = e / (rtol * (abs(y[i]) + STATE_FLOOR[i]))
        total += s * s
    return sqrt(total / n)


@compiled
def advance(t, end, y, p, u, rtol, k, z, h):
    """Integrate y in place from t to end under constant inputs; return the last step (h).

    Returns -1 when the step shrinks below 1e-9 h or a state is no longer a number.
    """
    n = y.shape[0]
    balances(t, y, p, u, k[0])
    while end - t > 1e-10:
        whole = h >= end - t
        step = end - t if whole else h
        stages(t, step, y, p, u, k, z)
        e = step_error(step, y, k, rtol)
        if not e < 1e30:
            e = 1e30
        factor = min(5.0, max(0.2, 0.9 / sqrt(sqrt(max(e, 1e-6)))))
        if e <= 1.0:
            t = end if whole else t + step
            for i in range(n):
                y[i] = z[i]
                k[0, i] = k[6, i]
            if not whole or factor < 1.0:
                h = step * factor
        else:
            h = step * factor
        if h < 1e-9:
            return -1.0
    return h


@compiled
def next_stop(t, end, controls, row):
    """Return where the step from t must end: at ``end``, a control row or a knot, the first."""
    if row + 1 < controls.shape[0] and controls[row + 1, 0] < end:
        end = controls[row + 1, 0]
    kink = (int(t / KNOT_SPACING + 1e-9) + 1) * KNOT_SPACING
    return min(end, kink)


@compiled
def take_row(theta, fixed, control, p, u, y):
    """Apply a control row: new inputs, and its dose at once."""
    inputs(theta, fixed, control, p, u)
    dose(control, p, u, y)


@compiled
def simulate(theta, fixed, controls, start, times, rtol, out):
    """Integrate one member and write its states at ``times`` into out[time, state].

    theta: member, see the process model; fixed: numbers of the batch that are known;
    controls: rows (time, inputs ..., dose), ascending, the first at or before ``start``;
    times: ascending, h, none before ``start``; a control row at one of them acts after it (a
    sample is drawn before the dose). Returns False when the integration failed; rows are then
    left at -1.
    """
    p, u = np.empty(NUMBER_OF_CONSTANTS), np.empty(NUMBER_OF_INPUTS)
    y, z = np.empty(NUMBER_OF_STATES), np.empty(NUMBER_OF_STATES)
    k = np.empty((7, NUMBER_OF_STATES))
    prepare(theta, fixed, p)
    initial(theta, fixed, y)
    t, h, row, i = start, 0.5, -1, 0
    out[:, :] = -1.0
    while row + 1 < controls.shape[0] and controls[row + 1, 0] <= t:
        row += 1
        take_row(theta, fixed, controls[row], p, u, y)
    while i < times.shape[0]:
        end = next_stop(t, times[i], controls, row)
        if end > t:
            h = advance(t, end, y, p, u, rtol, k, z, h)
            if h < 0.0:
                return False
            t = end
        if times[i] <= t:
            out[i, :] = y
            i += 1
        elif row + 1 < controls.shape[0] and controls[row + 1, 0] <= t:
            row += 1
            take_row(theta, fixed, controls[row], p, u, y)
    return True


@compiled
def simulate_members(thetas, fixed, controls, start, times, rtol, out, good):
    """Simulate each member by itself: any split or order of members gives the same bits."""
    for m in range(thetas.shape[0]):
        good[m] = simulate(thetas[m], fixed, controls, start, times, rtol, out[m])
