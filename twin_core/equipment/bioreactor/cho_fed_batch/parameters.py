"""Every number of the CHO fed-batch model with unit, source and range.

``reference`` is where a member starts (theta = 0). ``between`` is the prior spread of its
logarithm between cultures and ``doubt`` our doubt about the mean of its logarithm before any
culture is seen; both are replaced by what calibration learns where the package has
something to say.
"""

from dataclasses import dataclass

from twin_core.equipment.bioreactor.cho_fed_batch import model

BIOENG = "Bioengineering 2018, 5, 25, Table 2"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of the model: its published value, spread and source."""

    name: str
    reference: float
    unit: str
    low: float
    high: float
    source: str
    between: float = 0.0
    doubt: float = 0.0


# Order is the order of theta; see model.prepare.
MEMBER = (
    Parameter(
        "viable_cells_at_start", 0.38, "1e9 cells/L", 0.05, 5.0, "seed train target", 0.2, 0.7
    ),
    Parameter(
        "dead_per_viable_at_start", 0.03, "-", 0.001, 0.3, "viability 97 % at seeding", 0.3, 0.7
    ),
    Parameter("lysis_of_dead_cells", 0.02, "1/h", 0.001, 0.2, "engineering estimate", 0.1, 0.7),
    Parameter("glucose_per_growth", 1 / 0.357, "mmol/1e9 cells", 0.3, 12.0, BIOENG, 0.1, 0.7),
    Parameter("glucose_overflow", 0.0692, "mmol/(1e9 cells h)", 0.001, 0.5, BIOENG, 0.1, 1.0),
    Parameter("lactate_per_glucose", 0.70, "mol/mol", 0.05, 2.0, BIOENG, 0.1, 0.5),
    Parameter(
        "lactate_uptake", 0.02, "mmol/(1e9 cells h)", 0.0005, 0.3, "engineering estimate", 0.1, 1.0
    ),
    Parameter("glutamine_per_growth", 1 / 0.974, "mmol/1e9 cells", 0.1, 5.0, BIOENG, 0.1, 0.7),
    Parameter("ammonia_per_glutamine", 0.67, "mol/mol", 0.1, 1.5, BIOENG, 0.1, 0.5),
    Parameter("specific_production", 0.00151, "g/(1e9 cells h)", 0.0001, 0.01, BIOENG, 0.1, 0.7),
    Parameter(
        "cold_slows_growth",
        0.20,
        "1/K",
        0.02,
        0.6,
        "Vergara 2014, PLoS ONE 9 e93865: falls",
        0.02,
        0.4,
    ),
    Parameter("cold_slows_death", 0.15, "1/K", 0.01, 0.6, "engineering estimate", 0.02, 0.5),
    Parameter("cold_lifts_production", 0.08, "1/K", 0.005, 0.6, "Vergara 2014: rises", 0.02, 0.6),
    Parameter("glucose_at_start", 30.0, "mmol/L", 5.0, 80.0, "typical basal medium", 0.05, 0.4),
    Parameter("glutamine_at_start", 4.0, "mmol/L", 0.2, 12.0, "typical basal medium", 0.1, 0.7),
    Parameter("lactate_at_start", 1.0, "mmol/L", 0.05, 10.0, "carry-over of the seed", 0.2, 0.8),
    Parameter("ammonia_at_start", 0.5, "mmol/L", 0.02, 4.0, "carry-over of the seed", 0.2, 0.8),
    Parameter("glucose_in_feed", 300.0, "mmol/L", 50.0, 1500.0, "label of the feed", 0.05, 0.1),
    Parameter("glutamine_in_feed", 20.0, "mmol/L", 0.1, 200.0, "label of the feed", 0.1, 0.8),
    Parameter("lactate_inhibition", 43.0, "mmol/L", 5.0, 200.0, BIOENG, 0.05, 0.3),
    Parameter("ammonia_inhibition", 6.51, "mmol/L", 1.0, 40.0, BIOENG, 0.05, 0.3),
    Parameter(
        "ammonia_of_amino_acids", 0.001, "mmol/(1e9 cells h)", 1e-5, 0.02, "estimate", 0.1, 1.2
    ),
    Parameter("ammonia_removal", 0.0063, "mmol/(1e9 cells h)", 1e-5, 0.05, BIOENG, 0.1, 1.2),
    Parameter("volume_withdrawn", 0.001, "L/h", 1e-6, 0.1, "samples drawn", 0.1, 1.0),
)

# Order is that of fixed[FIRST_CONSTANT:].
CONSTANT = (
    Parameter("volume_at_start", 2.0, "L", 0.01, 20000.0, "the batch"),
    Parameter("growth_limit", 0.039, "1/h", 0.02, 0.06, BIOENG),
    Parameter("death_rate", 0.0008, "1/h", 0.0001, 0.01, "viability above 97 % in growth"),
    Parameter("glucose_affinity", 1.0, "mmol/L", 0.05, 5.0, BIOENG),
    Parameter("glutamine_affinity", 0.2, "mmol/L", 0.02, 2.0, "0.047 in " + BIOENG + ", raised"),
    Parameter("growth_without_glutamine", 0.6, "-", 0.0, 1.0, "engineering estimate"),
    Parameter("starvation_threshold", 0.5, "mmol/L", 0.05, 3.0, "engineering estimate"),
    Parameter("starvation_death", 12.0, "-", 0.0, 50.0, "engineering estimate"),
    Parameter("lactate_death", 45.8, "mmol/L", 5.0, 200.0, BIOENG),
    Parameter("ammonia_death", 6.51, "mmol/L", 1.0, 40.0, BIOENG),
    Parameter("glutamine_decay", 0.003, "1/h", 0.0, 0.01, "engineering estimate"),
    Parameter("lactate_affinity", 5.0, "mmol/L", 0.5, 50.0, "engineering estimate"),
    Parameter("glucose_spares_lactate", 10.0, "mmol/L", 1.0, 100.0, "engineering estimate"),
    Parameter("feed_on_record", 1.0, "-", 0.0, 1.0, "the batch: 0 where no feed was recorded"),
    Parameter("overflow_affinity", 20.0, "mmol/L", 1.0, 100.0, "engineering estimate"),
)

# (spread between cultures, doubt about the mean) of each knot of a learned course
GROWTH = (0.12, 0.5)  # departure of growth, 1 = the published limit
DEATH = (0.35, 1.2)  # log-modifier of death
GLUCOSE = LACTATE = PRODUCT = (0.10, 0.4)  # log-modifiers of uptake, yield and production
KNOT_MEMORY_H = 36.0  # correlation time of a culture's departure from the mean course, start value


def fixed_values() -> list[float]:
    """Return the numbers of a batch in the kernel's order, published values everywhere."""
    head = [parameter.reference for parameter in MEMBER]
    knots = [0.0] * (model.FIRST_CONSTANT - model.FIRST_GROWTH_KNOT)
    return head + knots + [parameter.reference for parameter in CONSTANT]


def courses() -> list[tuple[str, int, int, float, tuple[float, float]]]:
    """Return (name, first, count, spacing h, (spread, doubt)) of the learned courses in order."""
    fast = (model.KNOTS, model.KNOT_SPACING)
    slow = (model.SLOW_KNOTS, model.SLOW_SPACING)
    return [
        ("growth", model.FIRST_GROWTH_KNOT, *fast, GROWTH),
        ("death", model.FIRST_DEATH_KNOT, *fast, DEATH),
        ("glucose_uptake", model.FIRST_GLUCOSE_KNOT, *slow, GLUCOSE),
        ("lactate_yield", model.FIRST_LACTATE_KNOT, *slow, LACTATE),
        ("production", model.FIRST_PRODUCT_KNOT, *slow, PRODUCT),
    ]


def member_names() -> list[str]:
    """Return the names of theta in order."""
    names = [parameter.name for parameter in MEMBER]
    for name, _, count, spacing, _ in courses():
        names += [f"{name}_{round(i * spacing)}h" for i in range(count)]
    return names
