"""Balances of a CHO fed-batch culture with learned rate modifiers.

Units inside: h, L, 1e9 cells/L (= 1e6 cells/mL), mmol/L, g/L, degC. A member ``theta`` is a
point in a space where zero is the published value and one unit is a factor e (see
``parameters.py``); ``prepare`` turns it into the constants ``p``.

States: 0 volume, 1 viable cells, 2 dead cells, 3 glucose, 4 glutamine, 5 lactate, 6 ammonia,
7 titer. Everything dissolved or suspended is diluted by the feed; samples drawn take volume at
a mean rate and change no concentration. Neglected: evaporation, base and antifoam, oxygen and
pH as states.
"""
# mypy: ignore-errors

import math

import numpy as np

from twin_core.science.kernel.arithmetic import exp_, log_, soft_bound
from twin_core.science.kernel.plain import compiled

sqrt = math.sqrt
# kernel source below
NUMBER_OF_STATES = 8
NUMBER_OF_INPUTS = 4
KNOT_SPACING = 24.0
KNOTS = 15
SLOW_SPACING = 48.0
SLOW_KNOTS = 8
FIRST_GROWTH_KNOT = 24
FIRST_DEATH_KNOT = 39
FIRST_GLUCOSE_KNOT = 54
FIRST_LACTATE_KNOT = 62
FIRST_PRODUCT_KNOT = 70
FIRST_CONSTANT = 78
NUMBER_OF_CONSTANTS = 93
GROWTH_BOUND = 2.0
DEATH_BOUND = 5.0
SLOW_BOUND = 1.5
GROWTH_KNEE = 0.2
HUBER = 2.5
STATE_FLOOR = np.array([1e-3, 1e-3, 1e-3, 1e-2, 1e-3, 1e-2, 1e-2, 1e-3])


@compiled
def prepare(theta, fixed, p):
    """Fill the constants of a member; ``fixed`` holds the published values in the same order."""
    for i in range(FIRST_GROWTH_KNOT):
        p[i] = fixed[i] * exp_(theta[i])
    for i in range(FIRST_GROWTH_KNOT, FIRST_DEATH_KNOT):
        p[i] = soft_bound(theta[i], GROWTH_BOUND)
    for i in range(FIRST_DEATH_KNOT, FIRST_GLUCOSE_KNOT):
        p[i] = soft_bound(theta[i], DEATH_BOUND)
    for i in range(FIRST_GLUCOSE_KNOT, FIRST_CONSTANT):
        p[i] = soft_bound(theta[i], SLOW_BOUND)
    for i in range(FIRST_CONSTANT, NUMBER_OF_CONSTANTS):
        p[i] = fixed[i]


@compiled
def initial(theta, fixed, y):
    """State at inoculation."""
    y[0] = fixed[FIRST_CONSTANT]
    y[1] = fixed[0] * exp_(theta[0])
    y[2] = y[1] * fixed[1] * exp_(theta[1])
    y[3] = fixed[13] * exp_(theta[13])
    y[4] = fixed[14] * exp_(theta[14])
    y[5] = fixed[15] * exp_(theta[15])
    y[6] = fixed[16] * exp_(theta[16])
    y[7] = 0.0


@compiled
def inputs(theta, fixed, control, p, u):
    """Turn a control row (time, feed L/h, temperature degC, bolus L) into inputs.

    u: feed rate; temperature factors of growth, death and production.
    """
    cold = 37.0 - control[2]
    u[0] = control[1]
    if cold >= 0.0:
        u[1] = exp_(-p[10] * cold)
        u[2] = exp_(-p[11] * cold)
        u[3] = 1.0 + p[12] * cold
    else:
        u[1] = exp_(0.25 * cold)
        u[2] = exp_(-0.35 * cold)
        u[3] = exp_(0.10 * cold)


@compiled
def dose(control, p, u, y):
    """Add the bolus of a control row at once."""
    v = control[3]
    if v > 0.0:
        kept = y[0] / (y[0] + v)
        for i in range(1, NUMBER_OF_STATES):
            y[i] *= kept
        y[0] += v
        y[3] += p[17] * (1.0 - kept)
        y[4] += p[18] * (1.0 - kept)


@compiled
def modifier(p, first, count, spacing, t):
    """Learned modifier at culture age t: linear between knots, flat outside."""
    place = t / spacing
    if place <= 0.0:
        return p[first]
    if place >= count - 1:
        return p[first + count - 1]
    low = int(place)
    return p[first + low] + (place - low) * (p[first + low + 1] - p[first + low])


@compiled
def positive_part(x):
    """Return about max(x, 0), smooth at zero; positive_part(x) - positive_part(-x) is x."""
    return 0.5 * (x + sqrt(x * x + GROWTH_KNEE * GROWTH_KNEE))


@compiled
def balances(t, y, p, u, dy):
    """Write the time derivative of the states (per h)."""
    c = FIRST_CONSTANT
    known = p[c + 13]  # 0: no feed on record; nutrition then lies in the learned modifiers alone
    viable = y[1]
    glucose = max(y[3], 0.0)
    glutamine = max(y[4], 0.0)
    lactate = max(y[5], 0.0)
    ammonia = max(y[6], 0.0)
    fed = 1.0 - known * p[c + 3] / (p[c + 3] + glucose)
    glutamine_part = 1.0 - known * p[c + 4] / (p[c + 4] + glutamine)
    learned = 1.0 + modifier(p, FIRST_GROWTH_KNOT, KNOTS, KNOT_SPACING, t)
    growth = p[c + 1] * u[1] * positive_part(learned) * fed
    growth *= p[c + 5] + (1.0 - p[c + 5]) * glutamine_part
    growth *= p[19] / (p[19] + known * lactate) * p[20] / (p[20] + known * ammonia)
    lysis = p[c + 1] * positive_part(-learned)  # viable cells lost whole, never counted as dead
    hungry = p[c + 6] / (p[c + 6] + glucose)
    stress = 1.0 + known * (p[c + 7] * hungry + lactate / p[c + 8] + ammonia / p[c + 9])
    death = p[c + 2] * u[2] * stress
    death *= exp_(modifier(p, FIRST_DEATH_KNOT, KNOTS, KNOT_SPACING, t))
    overflow = p[4] * glucose / (p[c + 14] + glucose)  # uptake that grows with the supply
    q_glucose = growth * p[3] + overflow
    q_glucose *= exp_(modifier(p, FIRST_GLUCOSE_KNOT, SLOW_KNOTS, SLOW_SPACING, t))
    q_lactate = p[5] * exp_(modifier(p, FIRST_LACTATE_KNOT, SLOW_KNOTS, SLOW_SPACING, t))
    q_lactate *= q_glucose
    uptake = p[6] * lactate / (p[c + 11] + lactate) * p[c + 12] / (p[c + 12] + glucose)
    q_glutamine = growth * p[7] * glutamine_part
    decay = p[c + 10] * glutamine
    q_ammonia = p[8] * q_glutamine + p[21] - p[22] * ammonia / (p[20] + ammonia)
    q_product = p[9] * u[3] * exp_(modifier(p, FIRST_PRODUCT_KNOT, SLOW_KNOTS, SLOW_SPACING, t))
    dilution = u[0] / y[0]
    dy[0] = u[0] - known * p[23]
    dy[1] = (growth - lysis - death - dilution) * viable
    dy[2] = death * viable - (p[2] + dilution) * y[2]
    dy[3] = known * (dilution * (p[17] - y[3]) - q_glucose * viable)
    dy[4] = known * (dilution * (p[18] - y[4]) - q_glutamine * viable - decay)
    dy[5] = known * ((q_lactate - uptake) * viable - dilution * y[5])
    dy[6] = known * (q_ammonia * viable + decay - dilution * y[6])
    dy[7] = q_product * viable - dilution * y[7]


@compiled
def natural(y, tag):
    """Return the observed quantity of a state: 0 viable cells, 1 viability %, 2.. the states."""
    if tag == 0:
        return y[1]
    if tag == 1:
        return 100.0 * y[1] / (y[1] + y[2])
    if tag == 7:
        return y[0]
    return max(y[tag + 1], 0.0)


@compiled
def observe(y, tag):
    """Return the observed quantity on the scale on which its error is normal."""
    if tag == 0:
        return log_(max(y[1], 1e-6))
    return natural(y, tag)


@compiled
def perturb(clean, tag, z, relative, spread):
    """Add measurement error: lognormal for cells, normal for the rest, kept physical."""
    size = sqrt(spread * spread + relative * relative * clean * clean)
    if tag == 0:
        return clean * exp_(size / max(clean, 1e-6) * z)
    value = max(clean + size * z, 0.0)
    return min(value, 100.0) if tag == 1 else value


@compiled
def acts_before(j, last, fixed):
    """Say whether direction j of a member can have acted on the cells by the time ``last``."""
    unfed = fixed[FIRST_CONSTANT + 13] == 0.0
    if j < FIRST_GROWTH_KNOT:
        return not (unfed and (3 <= j <= 8 or j >= 13))
    if j < FIRST_GLUCOSE_KNOT:
        return ((j - FIRST_GROWTH_KNOT) % KNOTS - 1) * KNOT_SPACING < last
    if unfed and j < FIRST_PRODUCT_KNOT:
        return False
    return ((j - FIRST_GLUCOSE_KNOT) % SLOW_KNOTS - 1) * SLOW_SPACING < last
