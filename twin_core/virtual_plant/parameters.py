"""The numbers of one simulated CHO culture, drawn for each seed.

Orders of magnitude follow published CHO kinetics (Bioengineering 2018, 5, 25, table 2: growth
0.039 1/h, glucose maintenance 0.069 mmol/(1e9 cells h), yields 0.36 and 0.97e9 cells/mmol,
inhibition by ammonia at 6.5 mM and lactate at 43 mM; Vergara 2014, PLoS ONE 9, e93865 for the
temperature shift). The structure around them is this plant's own.

Units: L, h, mmol, g, 1e9 cells (so 1e9 cells/L = 1e6 cells/mL), degC.
"""

from dataclasses import dataclass, fields, replace

from twin_core.virtual_plant.noise import Stream

NONE, NOMINAL, HARD = 0, 1, 2  # how far the plant is from a textbook culture
SPREAD = {NONE: 0.0, NOMINAL: 0.07, HARD: 0.14}  # relative deviation of each drawn parameter

# feed lots: factors on amino acids and glucose, extra death by a trace impurity (1/h per L fed)
LOTS = ((1.0, 1.0, 0.0), (0.85, 1.0, 0.0), (1.0, 0.96, 0.0015))


@dataclass(frozen=True, slots=True)
class Biology:
    """What is drawn for each batch: the clone on that day."""

    growth: float = 0.042  # 1/h, largest specific growth
    arrest: float = 0.0025  # 1/h, growing cells that leave the cycle unprovoked
    apoptosis: float = 0.0007  # 1/h, unprovoked
    breakdown: float = 0.035  # 1/h, apoptotic cells that lose their membrane
    lysis: float = 0.009  # 1/h, dead cells that disappear
    glucose_upkeep: float = 0.052  # mmol/(1e9 cells h)
    glucose_yield: float = 0.42  # 1e9 cells/mmol
    overflow: float = 0.065  # mmol glucose/(1e9 cells h), at plenty of glucose
    lactate_uptake: float = 0.045  # mmol/(1e9 cells h), after the switch
    switch: float = 26.0  # h, time that the lactate switch takes
    glutamine_yield: float = 1.3  # 1e9 cells/mmol
    amino_yield: float = 1.15  # 1e9 cells/mmol
    amino_upkeep: float = 0.0085  # mmol/(1e9 cells h)
    ammonia_of_amino: float = 0.16  # mmol/mmol
    ammonia_limit: float = 7.0  # mM, halves growth
    lactate_limit: float = 43.0  # mM
    productivity: float = 1.2e-3  # g/(1e9 cells h)
    cold_gain: float = 0.75  # productivity gained at 33 degC, relative
    oxygen: float = 0.33  # mmol/(1e9 cells h)
    acidic: float = 0.00085  # 1/h at 37 degC, product turning acidic


@dataclass(frozen=True, slots=True)
class Equipment:
    """Vessel, pump, probes and medium of one batch: what a textbook culture leaves out."""

    byproduct: float = 0.0  # mmol/(1e9 cells h) of an inhibitor that nobody measures
    pump_gain: float = 1.0  # delivered/asked
    pump_wear: float = 0.0  # 1/h, relative loss of delivery
    ph_drift: float = 0.0  # 1/h
    oxygen_drift: float = 0.0  # % air saturation/h
    temperature_bias: float = 0.0  # degC, probe
    cold_lag: float = 0.0  # h, time until metabolism follows a temperature shift
    lot: tuple[float, float, float] = LOTS[0]
    seeding: float = 1.0  # factor on the wanted seeding density
    laboratory: float = 0.0  # scale of the laboratory's errors
    gross: float = 0.0  # probability of a gross laboratory error
    missed: float = 0.0  # probability of a missed laboratory result


def draw_biology(seed: int, mismatch: int) -> Biology:
    """Return the clone of this seed: each parameter scaled by its own bounded factor."""
    spread, plain = SPREAD[mismatch], Biology()
    return replace(
        plain,
        **{
            item.name: getattr(plain, item.name)
            * (1.0 + spread * Stream(seed, f"biology.{item.name}").normal())
            for item in fields(plain)
        },
    )


def draw_equipment(seed: int, mismatch: int) -> Equipment:
    """Return vessel and laboratory of this seed; at ``NONE`` both are perfect."""
    if mismatch == NONE:
        return Equipment()
    size = 1.0 if mismatch == NOMINAL else 2.2

    def normal(name: str) -> float:
        return size * Stream(seed, f"equipment.{name}").normal()

    lot = min(int(Stream(seed, "equipment.lot").uniform() * 4), 3)
    return Equipment(
        byproduct=0.0012 * size,
        pump_gain=1.0 + 0.02 * normal("pump_gain"),
        pump_wear=0.0001 * size * Stream(seed, "equipment.pump_wear").uniform(),
        ph_drift=1.2e-4 * normal("ph_drift"),
        oxygen_drift=0.008 * normal("oxygen_drift"),
        temperature_bias=0.05 * normal("temperature_bias"),
        cold_lag=14.0,
        lot=LOTS[max(lot - 1, 0)],  # half of the lots are good
        seeding=1.0 + 0.04 * normal("seeding"),
        laboratory=1.0 if mismatch == NOMINAL else 1.4,
        gross=0.0 if mismatch == NOMINAL else 0.01,
        missed=0.004 if mismatch == NOMINAL else 0.02,
    )
