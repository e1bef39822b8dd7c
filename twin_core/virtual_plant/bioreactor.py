"""A simulated CHO fed-batch bioreactor with its probes and its laboratory (a ``Plant``).

Everything that it gives away is simulated. The vessel lives in ``culture``; here are the clock,
the set points, the probes on their one-minute raster and the laboratory with its delay.
"""

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from math import nan

from twin_core.science.contracts import HARVEST, Card, Sample, Sensor, Setpoint, Spec
from twin_core.virtual_plant.checks import (
    TICKS_PER_HOUR,
    check_hours,
    check_setpoints,
    on_raster,
)
from twin_core.virtual_plant.culture import WORKING_VOLUME, Culture, Inputs
from twin_core.virtual_plant.noise import Stream
from twin_core.virtual_plant.parameters import HARD, NONE, draw_biology, draw_equipment

LABORATORY_TICKS = 6 * TICKS_PER_HOUR
SAMPLE_VOLUME = 0.004  # L
LOST_VIABILITY = 35.0  # %
START = {"glutamine": 4.0, "amino": 32.0}  # mM

Reader = Callable[[Culture], float]

# tag: unit, true value, deviation of one reading, drift per hour that the probe adds
PROBES: dict[str, tuple[str, Reader, float, Reader]] = {
    "temperature": (
        "degC", lambda c: c.temperature + c.equipment.temperature_bias, 0.02, lambda c: 0.0,
    ),
    "ph": ("pH", lambda c: c.ph, 0.006, lambda c: c.equipment.ph_drift),
    "dissolved_oxygen": (
        "% air saturation", lambda c: c.oxygen, 0.6, lambda c: c.equipment.oxygen_drift,
    ),
    "volume": ("L", lambda c: c.volume, 0.002, lambda c: 0.0),
    "feed.flow": ("mL/h", lambda c: c.flow, 0.03, lambda c: 0.0),
}  # fmt: skip


def viability(culture: Culture) -> float:
    """Return viable of all countable cells, %."""
    return 100.0 * culture.viable / (culture.viable + culture.dead)


# tag: unit, true value, relative and absolute deviation of one analysis
ANALYSES: dict[str, tuple[str, Reader, float, float]] = {
    "viable_cell_density": ("1e6 cells/mL", lambda c: c.share(c.viable), 0.045, 0.02),
    "viability": ("%", viability, 0.0, 0.8),
    "glucose": ("mM", lambda c: c.share(c.glucose), 0.03, 0.15),
    "lactate": ("mM", lambda c: c.share(c.lactate), 0.03, 0.2),
    "glutamine": ("mM", lambda c: c.share(c.glutamine), 0.04, 0.05),
    "ammonia": ("mM", lambda c: c.share(c.ammonia), 0.05, 0.08),
    "titer": ("g/L", lambda c: c.share(c.product), 0.03, 0.02),
}

CARD = Card(
    name="simulated CHO fed-batch bioreactor, 5 L",
    step_h=1.0 / TICKS_PER_HOUR,
    max_h=336.0,
    setpoints=(
        Setpoint("feed.rate", "mL/h", 0.0, 40.0, 0.0),
        Setpoint("temperature.setpoint", "degC", 30.0, 38.0, 36.8),
        Setpoint("ph.setpoint", "pH", 6.7, 7.3, 7.0),
        Setpoint("dissolved_oxygen.setpoint", "% air saturation", 20.0, 70.0, 40.0),
        Setpoint(HARVEST, "1", 0.0, 1.0, 0.0, kind="command"),
    ),
    sensors=(
        *(Sensor(tag, row[0], "online", 1.0 / TICKS_PER_HOUR, 0.0) for tag, row in PROBES.items()),
        *(Sensor(tag, row[0], "lab", 6.0, 2.25) for tag, row in ANALYSES.items()),
    ),
    specs=(
        Spec("viability", "%", low=70.0),
        Spec("acidic_variants", "%", high=22.0),
        Spec("titer", "g/L", low=1.8),
    ),
    objective="product_mass",  # g
    recipe={
        "seeding.density": 0.4,  # 1e6 cells/mL
        "start.volume": 3.0,  # L
        "start.glucose": 32.0,  # mM
        "mismatch": 1.0,  # 0 textbook culture, 1 nominal, 2 hard
    },
)


class Bioreactor:
    """The plant. Time moves on a raster of minutes; a set point acts from the next minute on."""

    CARD = CARD

    def __init__(self) -> None:
        self.reset(0, {})

    def reset(self, seed: int, recipe: Mapping[str, float]) -> None:
        """Inoculate. ValueError for a recipe that the card does not allow."""
        wanted = checked_recipe(recipe)
        self.time_h, self.done, self._tick, self._lost = 0.0, False, 0, False
        self._held = {point.tag: point.default for point in CARD.setpoints}
        self._culture = inoculate(seed, wanted)
        self._inputs = Inputs(*(self._held[tag] for tag in _HOLDS))
        self._streams = {tag: Stream(seed, tag) for tag in (*PROBES, *ANALYSES)}
        self._trouble = {tag: Stream(seed, f"{tag}/trouble") for tag in ANALYSES}
        self._under_way: list[tuple[float, int, Sample]] = []
        self._numbered = 0
        self._fresh: list[Sample] = []
        self._look(0.0)

    def advance(self, setpoints: Mapping[str, float], hours: float) -> list[Sample]:
        """See ``Plant.advance``."""
        if self.done:
            raise RuntimeError("the batch is over: reset the plant to start another")
        check_hours(CARD, hours)
        check_setpoints(CARD, setpoints)
        self._apply(setpoints)
        if setpoints.get(HARVEST, 0.0) == 1.0:
            self._finish()
        else:
            self._run(on_raster(self.time_h + hours))
        fresh, self._fresh = self._fresh, []
        return fresh

    def outcome(self) -> dict[str, float]:
        """See ``Plant.outcome``: titer (g/L), product_mass (g), viability, acidic_variants (%)."""
        if not self.done:
            raise RuntimeError("the batch is not over: there is no outcome yet")
        culture = self._culture
        values = {
            "viability": viability(culture),
            "acidic_variants": 100.0 * culture.acidic / culture.product if culture.product else 0.0,
            "titer": culture.share(culture.product),
            "product_mass": culture.product,
            "duration_h": self.time_h,
        }
        broken = {
            f"fail.{spec.key}": float(not spec.low <= values[spec.key] <= spec.high)
            for spec in CARD.specs
        }
        return {**values, **broken, "failed": float(self._lost or any(broken.values()))}

    def _apply(self, setpoints: Mapping[str, float]) -> None:
        now = self.time_h
        for point in CARD.setpoints:
            value = float(setpoints.get(point.tag, self._held[point.tag]))
            if value != self._held[point.tag]:
                self._fresh.append(
                    Sample(now, point.tag, value, point.unit, now, source="readback")
                )
                self._held[point.tag] = value if point.kind == "hold" else 0.0
        self._inputs = Inputs(*(self._held[tag] for tag in _HOLDS))

    def _run(self, end: float) -> None:
        end = min(end, CARD.max_h)
        while (self._tick + 1) / TICKS_PER_HOUR <= end:
            self._culture.step(self._inputs, self._tick / TICKS_PER_HOUR)
            self._tick += 1
            self.time_h = self._tick / TICKS_PER_HOUR
            self._look(self.time_h)
            if viability(self._culture) < LOST_VIABILITY:
                self._lost = True
                return self._finish()
        self.time_h = end
        self._receive(end)
        return self._finish() if end >= CARD.max_h else None

    def _finish(self) -> None:
        self.done = True
        self._receive(float("inf"))

    def _look(self, now: float) -> None:
        """Read the probes; on its raster let the laboratory take a sample."""
        self._receive(now)
        for tag, (unit, read, deviation, drift) in PROBES.items():
            noise = deviation * self._streams[tag].normal(self._tick)
            value = read(self._culture) + drift(self._culture) * now + noise
            if tag != "temperature":
                value = max(value, 0.0)
            self._fresh.append(Sample(now, tag, value, unit, now))
        if self._tick % LABORATORY_TICKS == 0:
            self._sample(now, self._tick // LABORATORY_TICKS)

    def _sample(self, now: float, number: int) -> None:
        for tag in ANALYSES:
            sample = self._analyse(tag, now, number)
            heappush(self._under_way, (sample.received_h, self._numbered, sample))
            self._numbered += 1
        self._culture.withdraw(SAMPLE_VOLUME)

    def _analyse(self, tag: str, now: float, number: int) -> Sample:
        unit, read, relative, absolute = ANALYSES[tag]
        trouble, equipment = self._trouble[tag], self._culture.equipment
        truth, received = read(self._culture), now + 1.5 + 1.5 * trouble.uniform(3 * number)
        if trouble.uniform(3 * number + 1) < equipment.missed:
            return Sample(now, tag, nan, unit, received, quality="bad", source="lab")
        error = equipment.laboratory * self._streams[tag].normal(number)
        value = truth * (1.0 + relative * error) + absolute * error
        if trouble.uniform(3 * number + 2) < equipment.gross:
            value *= 1.5
        top = 100.0 if tag == "viability" else float("inf")
        return Sample(now, tag, min(max(value, 0.0), top), unit, received, source="lab")

    def _receive(self, now: float) -> None:
        while self._under_way and self._under_way[0][0] <= now:
            self._fresh.append(heappop(self._under_way)[2])


_HOLDS = ("feed.rate", "temperature.setpoint", "ph.setpoint", "dissolved_oxygen.setpoint")


def inoculate(seed: int, recipe: Mapping[str, float]) -> Culture:
    """Return the vessel at time 0."""
    mismatch = int(recipe["mismatch"])
    equipment, volume = draw_equipment(seed, mismatch), recipe["start.volume"]
    cells = recipe["seeding.density"] * volume * equipment.seeding
    return Culture(
        biology=draw_biology(seed, mismatch),
        equipment=equipment,
        volume=volume,
        growing=0.97 * cells,
        dead=0.03 * cells,
        glucose=recipe["start.glucose"] * volume,
        lactate=0.8 * volume,
        ammonia=0.6 * volume,
        osmoles=290.0 * volume,
        **{name: amount * volume for name, amount in START.items()},
    )


def checked_recipe(recipe: Mapping[str, float]) -> dict[str, float]:
    """Return the full recipe, or raise ValueError naming the first key that does not fit."""
    limits = {
        "seeding.density": (0.05, 3.0),
        "start.volume": (1.0, WORKING_VOLUME),
        "start.glucose": (5.0, 80.0),
        "mismatch": (NONE, HARD),
    }
    if unknown := sorted(set(recipe) - set(CARD.recipe)):
        raise ValueError(f"recipe key {unknown[0]!r} is not known; known: {sorted(CARD.recipe)}")
    wanted = {key: float(value) for key, value in {**CARD.recipe, **recipe}.items()}
    for key, (low, high) in limits.items():
        if not low <= wanted[key] <= high:
            raise ValueError(f"recipe key {key!r} is {wanted[key]}, allowed is {low} to {high}")
    if wanted["mismatch"] != int(wanted["mismatch"]):
        raise ValueError("recipe key 'mismatch' is 0, 1 or 2")
    return wanted
