"""What a plant is: the contract between this product and anything it may observe or steer.

A plant keeps the product's hands off. It is driven by set points and answers with samples, as a
real vessel with its laboratory does. ``twin_core.testing.check_plant`` checks each rule that is
stated here; ``docs/design/plant.md`` explains them.

Times are process time, h since ``reset``. Units are the closed list of ``science.units``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Literal, Protocol, runtime_checkable

Quality = Literal["good", "uncertain", "bad"]
Source = Literal["online", "pat", "lab", "readback", "state"]
SetpointKind = Literal["hold", "dose", "command"]

HARVEST = "harvest"  # the command every batch plant has
PHASE_NEXT = "phase.next"  # reserved: the command that ends a phase of a recipe
SAMPLE_NOW = "sample.now"  # reserved: the command for one more laboratory sample


@dataclass(frozen=True, slots=True)
class Sample:
    """One value that a plant gave away; a row of ``samples.csv`` without the batch.

    ``time_h`` is when it was taken, ``received_h`` when it may be known (never earlier). ``value``
    is nan only when ``quality`` is "bad".
    """

    time_h: float
    tag: str
    value: float
    unit: str
    received_h: float
    quality: Quality = "good"
    source: Source = "online"


@dataclass(frozen=True, slots=True)
class Setpoint:
    """Something that may be asked of a plant, within ``low`` to ``high`` in ``unit``.

    A "hold" is kept until changed. A "dose" is this amount once, at the start of the advance.
    A "command" of 1.0 is done once, now; 0.0 or absence is nothing.
    """

    tag: str
    unit: str
    low: float
    high: float
    default: float
    kind: SetpointKind = "hold"


@dataclass(frozen=True, slots=True)
class Sensor:
    """A tag that a plant reports, with its nominal raster and delay; errors are not disclosed."""

    tag: str
    unit: str
    source: Source
    every_h: float
    delay_h: float


@dataclass(frozen=True, slots=True)
class Spec:
    """A release limit on one value of the outcome."""

    key: str
    unit: str
    low: float = -inf
    high: float = inf


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a plant before a batch: it never changes while the plant lives.

    ``step_h`` is the shortest advance, ``max_h`` the longest batch. ``objective`` is an outcome
    key, better when "high" or "low". ``recipe`` holds the keys that ``reset`` accepts with their
    defaults.
    """

    name: str
    step_h: float
    max_h: float
    setpoints: tuple[Setpoint, ...]
    sensors: tuple[Sensor, ...]
    specs: tuple[Spec, ...]
    objective: str
    better: Literal["high", "low"] = "high"
    recipe: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Plant(Protocol):
    """A batch plant. Same seed, recipe and actions: same samples, on any machine.

    Plant, faults and noise depend on (seed, recipe, tag, number of the sample), never on how the
    time was cut into calls: ``advance(x, 6)`` equals ``advance(x, 2)`` three times.
    """

    CARD: Card
    time_h: float
    done: bool

    def reset(self, seed: int, recipe: Mapping[str, float]) -> None:
        """Start a batch at time 0. A recipe key that the card does not name: ValueError."""

    def advance(self, setpoints: Mapping[str, float], hours: float) -> list[Sample]:
        """Apply the set points now, run ``hours`` and return what became known, in that order.

        A missing set point holds. An unknown name, a nan or a value out of range raises
        ValueError; then nothing is applied and time stands still. The batch may end before
        ``hours`` are over, and then all samples still under way come too; after that
        RuntimeError is raised.
        """

    def outcome(self) -> Mapping[str, float]:
        """Return the release laboratory's truth of a batch that is over, else RuntimeError.

        Holds each ``Spec.key``, the objective, ``duration_h``, ``failed`` and ``fail.<key>`` of
        each spec (0.0 or 1.0).
        """


class Arm(Protocol):
    """A way to run a batch, made fresh for each batch by ``factory(card, recipe)``."""

    def decide(self, now_h: float, new: Sequence[Sample]) -> Mapping[str, float]:
        """Return the set points to apply at ``now_h``, given the samples since the last call."""
