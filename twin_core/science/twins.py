"""What an equipment twin and its process model declare: data, no behaviour of their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from twin_core.science.packages import Event


@dataclass(frozen=True, slots=True)
class Tag:
    """A quantity that a process model can predict.

    index: its number in the kernel's ``observe``; relative and absolute: standard deviation of
    a measurement, part proportional to the value and constant part (in ``unit``) before any
    data; logarithmic: compared on the log scale; low, high: physically possible values.
    """

    name: str
    unit: str
    index: int
    low: float
    high: float
    relative: float
    absolute: float
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on a tag, in its unit: what the band may not cross while the batch runs."""

    tag: str
    unit: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class WriteBack:
    """A decision the twin may recommend: range, executable step and fastest change per hour.

    ``writable`` False: advice for a person alone, the gate has no point for it.
    """

    tag: str
    unit: str
    low: float
    high: float
    step: float
    fastest_per_h: float
    writable: bool


@dataclass(frozen=True, slots=True)
class KnotGroup:
    """Members of theta that form a course over culture age and so remember each other."""

    first: int
    count: int
    spacing_h: float


@dataclass(frozen=True, slots=True)
class ProcessModel:
    """Equations with the prior of their members; the template of a calibration.

    between, doubt: see ``parameters.py`` of the template; fixed(attributes, events, scale)
    and controls(events) turn a batch into the kernel's inputs.
    """

    name: str
    equations: ModuleType
    tags: tuple[Tag, ...]
    names: tuple[str, ...]
    between: tuple[float, ...]
    doubt: tuple[float, ...]
    knots: tuple[KnotGroup, ...]
    knot_memory_h: float
    fixed: Callable[[Mapping[str, str], Sequence[Event], float], list[float]]
    controls: Callable[[Sequence[Event]], list[list[float]]]
    inputs: tuple[str, ...]  # names of the control columns after time

    def tag(self, name: str) -> Tag | None:
        """Return the tag of that name, or None when the model does not predict it."""
        return next((tag for tag in self.tags if tag.name == name), None)


@dataclass(frozen=True, slots=True)
class EquipmentTwin:
    """Manifest of an equipment twin: what is measured, controlled, limited and writable."""

    name: str
    title: str
    models: tuple[ProcessModel, ...]
    measured: tuple[tuple[str, str], ...]  # (tag, unit), on line or from the laboratory
    critical_parameters: tuple[str, ...]  # CPP
    quality_attributes: tuple[str, ...]  # CQA
    limits: tuple[Limit, ...]
    write_back: tuple[WriteBack, ...]

    def model(self, name: str) -> ProcessModel:
        """Return the process model of that name, or raise KeyError naming the known ones."""
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(f"no process model {name!r}; known: {[m.name for m in self.models]}")
