"""Condition a member on what a batch has shown: damped Gauss-Newton in whitened coordinates."""
# ruff: noqa: F821  the process model's functions stand before these in the generated module
# mypy: ignore-errors

import math

import numpy as np

from twin_core.science.kernel.plain import compiled

sqrt = math.sqrt
# kernel source below


@compiled
def unwhiten(mean, factor, x, theta):
    """Write mean + factor x into theta; factor is lower triangular."""
    for i in range(mean.shape[0]):
        s = mean[i]
        for j in range(i + 1):
            s += factor[i, j] * x[j]
        theta[i] = s


@compiled
def residuals(theta, given, states, r):
    """Write (model - observation) / sigma into r, on each tag's own scale; False on failure.

    given: (fixed numbers, control rows, distinct sampling times, then for each observation its
    row among the times, tag, value and sigma; last the integrator's tolerance).
    """
    fixed, controls, times, which, tag, value, sigma, rtol = given
    if not simulate(theta, fixed, controls, 0.0, times, rtol, states):
        return False
    for n in range(value.shape[0]):
        r[n] = (observe(states[which[n]], tag[n]) - value[n]) / sigma[n]
    return True


@compiled
def robust_cost(x, r):
    """Return half the sum of squares of x plus Huber's loss of the residuals."""
    total = 0.0
    for i in range(x.shape[0]):
        total += 0.5 * x[i] * x[i]
    for n in range(r.shape[0]):
        a = abs(r[n])
        total += 0.5 * a * a if a <= HUBER else HUBER * (a - 0.5 * HUBER)
    return total


@compiled
def normal_matrix(jacobian, acts, r, weight, x, a, g):
    """Fill a = I + J'WJ and g = x + J'Wr in fixed order; directions that do not act are zero."""
    d = x.shape[0]
    for i in range(d):
        g[i] = x[i]
        for j in range(i):
            a[i, j] = 0.0
        a[i, i] = 1.0
        if not acts[i]:
            continue
        for n in range(r.shape[0]):
            g[i] += jacobian[i, n] * weight[n] * r[n]
        for j in range(i + 1):
            if acts[j]:
                s = a[i, j]
                for n in range(r.shape[0]):
                    s += jacobian[i, n] * weight[n] * jacobian[j, n]
                a[i, j] = s


@compiled
def fill_column(j, theta, factor, moved, given, states, r, rt, jacobian):
    """Write row j of the Jacobian by forward differences; False when it is all zero."""
    for i in range(theta.shape[0]):
        moved[i] = theta[i] + 1e-3 * factor[i, j]
    if not residuals(moved, given, states, rt):
        return False
    found = False
    for n in range(r.shape[0]):
        jacobian[j, n] = (rt[n] - r[n]) / 1e-3
        if jacobian[j, n] != 0.0:
            found = True
    return found


@compiled
def linearise(theta, factor, acts, moved, given, states, r, rt, weight, jacobian):
    """Fill Huber's weights and the Jacobian; a direction that moved nothing is not tried again."""
    for n in range(r.shape[0]):
        weight[n] = 1.0 if abs(r[n]) <= HUBER else HUBER / abs(r[n])
    for j in range(theta.shape[0]):
        if acts[j]:
            acts[j] = fill_column(j, theta, factor, moved, given, states, r, rt, jacobian)


@compiled
def improve_along(g, x, cost, mean, factor, moved, trial, given, states, rt):
    """Step against g, shorter and shorter, until the cost falls; return the cost reached.

    Leaves the better point in moved, trial and rt; returns ``cost`` itself when none is.
    """
    scale = 1.0
    for _ in range(6):
        for i in range(x.shape[0]):
            moved[i] = x[i] - scale * g[i]
        unwhiten(mean, factor, moved, trial)
        if residuals(trial, given, states, rt):
            c = robust_cost(moved, rt)
            if c < cost:
                return c
        scale *= 0.35
    return cost


@compiled
def condition(mean, factor, given, rounds, x, a, r):
    """Find the most likely whitened member x; a holds the Cholesky factor of its precision.

    ``given`` as in ``residuals``. x comes in as the start and leaves as the result; r leaves as
    the residuals. Directions that cannot have acted yet (see ``acts_before``) keep their prior.
    Returns the number of rounds that improved, or -1 when the start could not be integrated.
    """
    d, nobs, times = mean.shape[0], r.shape[0], given[2]
    last = times[times.shape[0] - 1] if times.shape[0] > 0 else 0.0
    theta, trial, moved, g = np.empty(d), np.empty(d), np.empty(d), np.empty(d)
    states = np.empty((times.shape[0], NUMBER_OF_STATES))
    rt, weight, jacobian = np.empty(nobs), np.empty(nobs), np.zeros((d, nobs))
    acts = np.empty(d, np.bool_)
    for j in range(d):
        acts[j] = acts_before(j, last, given[0])
    unwhiten(mean, factor, x, theta)
    if not residuals(theta, given, states, r):
        return -1
    cost, done, left = robust_cost(x, r), 0, rounds
    while True:
        linearise(theta, factor, acts, moved, given, states, r, rt, weight, jacobian)
        normal_matrix(jacobian, acts, r, weight, x, a, g)
        cholesky_in_place(a, d)
        if left == 0:
            return done
        solve_lower(a, g, d)
        solve_upper(a, g, d)
        c = improve_along(g, x, cost, mean, factor, moved, trial, given, states, rt)
        if not c < cost:
            return done
        left = 0 if cost - c < 1e-4 * (1.0 + c) else left - 1
        cost = c
        done += 1
        x[:], theta[:], r[:] = moved, trial, rt


@compiled
def posterior_members(mean, factor, x, a, draws, thetas):
    """Write one member per stored draw: mean + factor (x + A^-T z), A A' the precision of x."""
    d = mean.shape[0]
    z = np.empty(d)
    for m in range(draws.shape[0]):
        for i in range(d):
            z[i] = draws[m, i]
        solve_upper(a, z, d)
        for i in range(d):
            z[i] += x[i]
        unwhiten(mean, factor, z, thetas[m])


@compiled
def posterior_covariance(factor, a, out):
    """Write the covariance of the conditioned member into out: factor (A A')^-1 factor'.

    a: Cholesky factor of the precision, as ``condition`` leaves it. Returns the degrees of
    freedom that the observations could move: d - trace of the inverse precision.
    """
    d = a.shape[0]
    z = np.empty(d)
    root = np.empty((d, d))
    total = 0.0
    for j in range(d):
        for i in range(d):
            z[i] = 1.0 if i == j else 0.0
        solve_upper(a, z, d)
        for i in range(d):
            total += z[i] * z[i]
            s = 0.0
            for k in range(i + 1):
                s += factor[i, k] * z[k]
            root[i, j] = s
    for i in range(d):
        for j in range(i + 1):
            s = 0.0
            for k in range(d):
                s += root[i, k] * root[j, k]
            out[i, j] = s
            out[j, i] = s
    return d - total


@compiled
def observe_members(states, good, tags, noise, relative, spread, out):
    """Write out[member, time, tag] on the natural scale, measurement error included.

    noise[member, tag] are stored standard normal numbers; failed members become -1.
    """
    for m in range(states.shape[0]):
        for i in range(states.shape[1]):
            for j in range(tags.shape[0]):
                if good[m]:
                    clean = natural(states[m, i], tags[j])
                    out[m, i, j] = perturb(clean, tags[j], noise[m, j], relative[j], spread[j])
                else:
                    out[m, i, j] = -1.0


@compiled
def summarise(values, good, low, high, out):
    """Write (mean, low quantile, high quantile) over the good members into out[time, tag, 3]."""
    members = values.shape[0]
    kept = np.empty(members)
    for i in range(values.shape[1]):
        for j in range(values.shape[2]):
            n = 0
            total = 0.0
            for m in range(members):
                if good[m]:
                    kept[n] = values[m, i, j]
                    n += 1
            sort_in_place(kept, n)
            for m in range(n):  # summed in sorted order: the order of members does not matter
                total += kept[m]
            if n == 0:
                continue
            out[i, j, 0] = total / n
            out[i, j, 1] = quantile_sorted(kept, n, low)
            out[i, j, 2] = quantile_sorted(kept, n, high)
