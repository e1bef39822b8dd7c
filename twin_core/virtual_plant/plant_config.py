"""``plant.yaml``: everything that a plant process is told, checked before it starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from twin_core.science.contracts import Plant
from twin_core.virtual_plant.bioreactor import CARD, Bioreactor
from twin_core.virtual_plant.checks import check_setpoints
from twin_core.virtual_plant.record import RECORDED_SEEDS
from twin_core.virtual_plant.recorded import RecordedBatch

SIMULATED, RECORDED = "simulated", "recorded"
PATHS = ("folder", "certificates", "package")
LAST_SEED = min(RECORDED_SEEDS) - 1


class PlantConfigInvalid(ValueError):
    """The configuration is refused; the text names the file and the key."""


@dataclass(frozen=True, slots=True)
class PlantConfig:
    """One plant process. Durations ending in _s are wall time, in _h process time."""

    asset: str
    kind: str  # simulated | recorded
    folder: Path  # state of the process: journal, endpoint, control files
    certificates: Path  # see certificates.prepare
    speed: float = 60.0  # process time over wall time
    port: int = 0  # 0: a free one, kept for the next start
    scan_s: float = 0.5
    online_every_h: float = 1.0 / 60.0  # online values between are not published
    pause_s: float = 30.0  # between two batches
    auto_start: bool = True  # else the next batch waits for the command batch.start
    link_timeout_s: float = 15.0  # silence of the gate after which the plant is local
    allow_faults: bool = False
    first_seed: int = 1  # simulated: batch n plays first_seed + n - 1
    recipe: Mapping[str, float] = field(default_factory=dict)
    program: tuple[tuple[float, Mapping[str, float]], ...] = ()  # local recipe: (hour, set points)
    interlock_above: Mapping[str, float] = field(default_factory=dict)  # online tag: highest value
    package: Path = Path()  # recorded: the batch package
    batches: tuple[str, ...] = ()  # recorded: its batches, played in turn
    delay_h: float = 0.0  # recorded: laboratory delay of rows without received_h

    def seed(self, number: int) -> int:
        return self.first_seed + number - 1

    def make_plant(self, number: int) -> Plant:
        """Return the plant of the number-th batch, not yet reset."""
        if self.kind == RECORDED:
            batch = self.batches[(number - 1) % len(self.batches)]
            return RecordedBatch(self.package, batch, delay_h=self.delay_h)
        return Bioreactor()

    def batch_id(self, number: int) -> str:
        """Return the name of the number-th batch; a recording keeps its own name in it."""
        if self.kind == RECORDED:
            played = self.batches[(number - 1) % len(self.batches)]
            return f"{self.asset}-{number:04d}-{played}"
        return f"{self.asset}-{number:04d}"


def load_config(path: Path, **overrides: Any) -> PlantConfig:
    """Read ``plant.yaml``; relative paths are relative to it. PlantConfigInvalid says what is off.

    ``overrides`` that are not None win over the file; their paths are relative to the working
    directory, as on every command line.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PlantConfigInvalid(f"{path}: cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise PlantConfigInvalid(f"{path}: must be a mapping of keys to values")
    known = {item.name for item in fields(PlantConfig)}
    if unknown := sorted(map(str, set(found) - known)):
        raise PlantConfigInvalid(f"{path}: {unknown[0]!r} is not known; known: {sorted(known)}")
    for key in PATHS:
        if key in found:
            found[key] = (path.parent / str(found[key])).resolve()
    found |= {key: value for key, value in overrides.items() if value is not None}
    found |= {key: Path(found[key]).resolve() for key in PATHS if key in found}
    if missing := [key for key in PATHS[:2] if key not in found]:
        raise PlantConfigInvalid(f"{path}: {missing[0]} is neither in the file nor an option")
    found["batches"] = tuple(found.get("batches", ()))
    try:
        found["program"] = tuple((float(at), dict(what)) for at, what in found.get("program", ()))
        return checked(PlantConfig(**found))
    except (TypeError, ValueError) as error:  # PlantConfigInvalid too
        raise PlantConfigInvalid(f"{path}: {error}") from error


def checked(config: PlantConfig) -> PlantConfig:
    """Return the configuration with its numbers as numbers, or say which key does not fit."""
    if config.kind not in (SIMULATED, RECORDED):
        raise PlantConfigInvalid(f"kind is {config.kind!r}; allowed: {SIMULATED}, {RECORDED}")
    if config.kind == RECORDED and not config.batches:
        raise PlantConfigInvalid("batches: a recorded plant needs at least one batch")
    for key in ("speed", "scan_s", "online_every_h", "link_timeout_s"):
        if not _number(config, key) > 0:
            raise PlantConfigInvalid(f"{key} must be above zero, not {getattr(config, key)!r}")
    for key in ("pause_s", "delay_h", "port"):
        if not _number(config, key) >= 0:
            raise PlantConfigInvalid(f"{key} must not be negative, not {getattr(config, key)!r}")
    if not 0 < _number(config, "first_seed") <= LAST_SEED:
        raise PlantConfigInvalid(
            f"first_seed is 1 to {LAST_SEED}: those above are kept for calibration packages"
        )
    _check_program(config)
    return replace(config, speed=float(config.speed), recipe=dict(config.recipe))


def _check_program(config: PlantConfig) -> None:
    """The local recipe must be in order of time and within the card's ranges."""
    if config.program and config.kind == RECORDED:
        raise PlantConfigInvalid("program: a recorded plant takes no set point")
    hours = [at for at, _ in config.program]
    if hours != sorted(set(hours)) or (hours and hours[0] < 0):
        raise PlantConfigInvalid(f"program: the hours must rise from 0 on, not {hours}")
    for at, setpoints in config.program:
        try:
            check_setpoints(CARD, setpoints)
        except ValueError as error:
            raise PlantConfigInvalid(f"program at {at} h: {error}") from error


def _number(config: PlantConfig, key: str) -> float:
    value = getattr(config, key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PlantConfigInvalid(f"{key} must be a number, not {value!r}")
    return value
