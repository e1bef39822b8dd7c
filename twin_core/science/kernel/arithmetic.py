"""Elementary functions and small linear algebra of the certified path.

Only + - * / sqrt and comparisons in a fixed order: the same bits on every IEEE 754 machine,
whatever the C library, the vector unit or the number of threads.
"""

import math

import numpy as np

from twin_core.science.kernel.plain import compiled

POWERS_OF_TWO = np.array([math.ldexp(1.0, k) for k in range(-1022, 1024)])
sqrt = math.sqrt
# kernel source below


@compiled
def exp_(x):
    """Return e**x within 1 ulp or so; the argument is held within +-700."""
    v = min(max(x, -700.0), 700.0)
    scaled = v * 1.4426950408889634 + 0.5
    k = int(scaled)
    if scaled < k:
        k -= 1
    r = (v - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10
    q = 1.0 / 6227020800.0
    q = q * r + 1.0 / 479001600.0
    q = q * r + 1.0 / 39916800.0
    q = q * r + 1.0 / 3628800.0
    q = q * r + 1.0 / 362880.0
    q = q * r + 1.0 / 40320.0
    q = q * r + 1.0 / 5040.0
    q = q * r + 1.0 / 720.0
    q = q * r + 1.0 / 120.0
    q = q * r + 1.0 / 24.0
    q = q * r + 1.0 / 6.0
    q = q * r + 0.5
    q = q * r + 1.0
    q = q * r + 1.0
    return q * POWERS_OF_TWO[k + 1022]


@compiled
def log_(x):
    """Return the natural logarithm of x > 0; below 1e-300 the value at 1e-300."""
    m = max(x, 1e-300)
    k = 0
    while m > 1.4142135623730951:
        m *= 0.5
        k += 1
    while m < 0.7071067811865476:
        m *= 2.0
        k -= 1
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    q = 1.0 / 23.0
    for n in range(10, -1, -1):
        q = q * z + 1.0 / (2.0 * n + 1.0)
    return (k * 6.93147180369123816490e-01) + (2.0 * s * q + k * 1.90821492927058770002e-10)


@compiled
def soft_bound(x, bound):
    """Return x squeezed into (-bound, bound), slope one at zero."""
    return x / sqrt(1.0 + (x / bound) * (x / bound))


@compiled
def cholesky_in_place(a, n):
    """Overwrite the lower triangle of a symmetric positive matrix by its Cholesky factor.

    Returns False, leaving a half-done matrix, when a pivot is not positive.
    """
    for j in range(n):
        s = a[j, j]
        for k in range(j):
            s -= a[j, k] * a[j, k]
        if not s > 0.0:
            return False
        a[j, j] = sqrt(s)
        for i in range(j + 1, n):
            s = a[i, j]
            for k in range(j):
                s -= a[i, k] * a[j, k]
            a[i, j] = s / a[j, j]
    return True


@compiled
def solve_lower(a, b, n):
    """Overwrite b by the solution of L x = b."""
    for i in range(n):
        s = b[i]
        for k in range(i):
            s -= a[i, k] * b[k]
        b[i] = s / a[i, i]


@compiled
def solve_upper(a, b, n):
    """Overwrite b by the solution of L' x = b."""
    for i in range(n - 1, -1, -1):
        s = b[i]
        for k in range(i + 1, n):
            s -= a[k, i] * b[k]
        b[i] = s / a[i, i]


@compiled
def sort_in_place(a, n):
    """Sort ascending by heap order: the result is the same whatever the order given."""
    for start in range(n // 2 - 1, -1, -1):
        sift_down(a, start, n)
    for end in range(n - 1, 0, -1):
        top = a[0]
        a[0] = a[end]
        a[end] = top
        sift_down(a, 0, end)


@compiled
def sift_down(a, start, end):
    """Restore the heap below ``start``."""
    root = start
    while 2 * root + 1 < end:
        child = 2 * root + 1
        if child + 1 < end and a[child] < a[child + 1]:
            child += 1
        if a[root] < a[child]:
            swap = a[root]
            a[root] = a[child]
            a[child] = swap
            root = child
        else:
            return


@compiled
def quantile_sorted(a, n, q):
    """Return the q-quantile of an ascending sample, linear between neighbours."""
    place = q * (n - 1)
    low = int(place)
    if low >= n - 1:
        return a[n - 1]
    return a[low] + (place - low) * (a[low + 1] - a[low])
