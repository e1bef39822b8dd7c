"""Running batches one after the other on a process clock that survives the process.

No network here: ``opcua_server`` shows what this says and asks it to act. Every act is in the
journal before it is done, and process time stands still while the process is down.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from twin_core.science.contracts import Sample, Setpoint
from twin_core.virtual_plant.batch_run import (
    RECIPE,
    RUNNING,
    SEQUENCES,
    BatchRun,
    Result,
    fingerprint,
    replay,
)
from twin_core.virtual_plant.checks import TICKS_PER_HOUR, check_setpoints
from twin_core.virtual_plant.journal import Journal
from twin_core.virtual_plant.plant_config import LAST_SEED, SIMULATED, PlantConfig

IDLE, ABORTED = "idle", "aborted"
START = Setpoint("batch.start", "1", 0.0, 1.0, 0.0, kind="command")


class WriteRefused(ValueError):
    """A write is not accepted; ``code`` is the name of an OPC UA status code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Scan:
    """What one scan brought: the process time, values and readbacks, laboratory results."""

    time_h: float
    samples: list[Sample] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)


class Operation:
    """One asset, batch after batch. At the start it goes on with the batch it was in."""

    def __init__(self, config: PlantConfig) -> None:
        self.config, self.interlock = config, ""
        self.card = config.make_plant(1).CARD
        self._journal = Journal(config.folder / "journal")
        self._number, self._idle_state = 0, IDLE
        self._run: BatchRun | None = None
        self._past: dict[int, list[Result]] = {}
        self._carry = 0.0  # process time that has passed but is not yet a whole minute, h
        self._waited_s = 0.0
        self._continue()

    @property
    def state(self) -> str:
        return self._run.state if self._run else self._idle_state

    @property
    def batch_id(self) -> str:
        return self._run.batch_id if self._run else ""

    @property
    def time_h(self) -> float:
        return self._run.plant.time_h if self._run else 0.0

    @property
    def held(self) -> dict[str, float]:
        """Return what the controllers hold, by set point."""
        if self._run:
            return dict(self._run.held)
        return {point.tag: point.default for point in self.card.setpoints}

    @property
    def setpoints(self) -> tuple[Setpoint, ...]:
        """Return what can be written to; a recorded batch has nothing."""
        return (*self.card.setpoints, START) if self.config.kind == SIMULATED else ()

    @property
    def last_sequence(self) -> int:
        """Return the sequence of the newest result."""
        results = self._run.results if self._run else []
        return results[-1].sequence if results else self._number * SEQUENCES

    def write(self, tag: str, value: float, *, by: str) -> None:
        """Accept a set point or command for the next scan; WriteRefused says why not."""
        if tag == START.tag:
            return self._asked_to_start(value, by)
        run = self._run
        if run is None or run.state != RUNNING:
            raise WriteRefused("BadInvalidState", f"no batch is running: {self.state}")
        if self.interlock:
            raise WriteRefused("BadInvalidState", f"interlocked: {self.interlock}")
        try:
            check_setpoints(self.card, {tag: value})
        except ValueError as error:
            raise WriteRefused("BadOutOfRange", str(error)) from error
        self._apply(run, {"setpoints": {tag: value}, "by": by})
        return None

    def scan(self, elapsed_s: float, *, forced_interlock: str = "") -> Scan:
        """Let ``elapsed_s`` of wall time pass; return what became known."""
        run = self._run
        if run is None or run.state != RUNNING:
            self._wait(elapsed_s)
            return Scan(self.time_h)
        self._set_interlock(forced_interlock)
        self._carry += elapsed_s * self.config.speed / 3600.0
        ticks = int(self._carry * TICKS_PER_HOUR)
        if run.told:
            ticks = max(ticks, 1)  # what was asked for does not wait for a slow clock
        if ticks < 1:
            return Scan(self.time_h)
        self._carry -= ticks / TICKS_PER_HOUR
        target = (round(self.time_h * TICKS_PER_HOUR) + ticks) / TICKS_PER_HOUR
        before, samples = len(run.results), []
        for stop_h in self._stops(target):
            self._follow_recipe(run)
            self._journal.append({"entry": "reach", "time_h": stop_h})
            samples += [s for s in run.move(stop_h) if self._is_shown(s)]
            if run.state != RUNNING:
                break
        return Scan(self.time_h, samples, run.results[before:])

    def results_since(self, sequence: int, limit: int) -> list[Result]:
        """Return the results after ``sequence`` in order, at most ``limit``."""
        found: list[Result] = []
        for number in self._journal.numbers():
            if (number + 1) * SEQUENCES > sequence and len(found) < limit:
                found += [r for r in self._results_of(number) if r.sequence > sequence]
        return found[:limit]

    def close(self) -> None:
        self._journal.close()

    def _stops(self, target: float) -> list[float]:
        """Return where to stop on the way: at each step of the local recipe, then the target."""
        steps = [at for at, _ in self.config.program if self.time_h < at < target]
        return [*steps, target]

    def _follow_recipe(self, run: BatchRun) -> None:
        """Do the step of the local recipe that is due, but for what somebody else leads."""
        for step, (at, setpoints) in enumerate(self.config.program):
            if step >= run.steps_done and at <= self.time_h:
                left = {tag: v for tag, v in setpoints.items() if tag not in run.taken}
                self._apply(run, {"setpoints": left, "by": RECIPE, "step": step})

    def _apply(self, run: BatchRun, what: dict[str, Any]) -> None:
        """Put accepted set points on the disk, then keep them for the next minute."""
        entry = {"entry": "apply", **what, "at": _now()}
        self._journal.append(entry)
        run.tell(entry)

    def _is_shown(self, sample: Sample) -> bool:
        """Tell whether a sample is published as a value: laboratory results go another way."""
        every = max(round(self.config.online_every_h * TICKS_PER_HOUR), 1)
        on_raster = round(sample.time_h * TICKS_PER_HOUR) % every == 0
        return sample.source == "readback" or (sample.source != "lab" and on_raster)

    def _set_interlock(self, forced: str) -> None:
        latest, above = (self._run.latest if self._run else {}), self.config.interlock_above
        high = [tag for tag, top in above.items() if latest.get(tag, top) > top]
        self.interlock = forced or (f"{high[0]} is above {above[high[0]]}" if high else "")

    def _wait(self, elapsed_s: float) -> None:
        """Between batches: start the next one when its time has come and nobody has to ask."""
        self._waited_s += elapsed_s
        pause = self.config.pause_s if self._number else 0.0
        if self.config.auto_start and self._waited_s >= pause and self._has_seed():
            self._start("automatic")

    def _asked_to_start(self, value: float, by: str) -> None:
        if value != 1.0:
            raise WriteRefused("BadOutOfRange", "batch.start is done by writing 1")
        if self.state == RUNNING:
            raise WriteRefused("BadInvalidState", f"batch {self.batch_id} is running")
        if not self._has_seed():
            raise WriteRefused("BadInvalidState", "the seeds of this plant are used up")
        self._start(by)

    def _has_seed(self) -> bool:
        return self.config.seed(self._number + 1) <= LAST_SEED

    def _start(self, by: str) -> None:
        number = self._number + 1
        start = {
            "entry": "start",
            "batch": self.config.batch_id(number),
            "seed": self.config.seed(number),
            "recipe": dict(self.config.recipe),
            "plant": fingerprint(self.config),
            "by": by,
            "at": _now(),
        }
        self._journal.open(number)
        self._journal.append(start)
        self._number, self._run = number, BatchRun(self.config, number, start)
        self._carry = self._waited_s = 0.0

    def _continue(self) -> None:
        """Go on with the last batch; one that other software began is aborted, not guessed."""
        for number in reversed(self._journal.numbers()):
            entries = self._journal.read(number)
            if not entries:  # stopped between the file and its first line: it never began
                continue
            self._journal.open(number)
            self._number = number
            if not self._can_replay(entries):
                self._abort(entries)
            else:
                self._run = replay(self.config, number, entries)
            return

    def _can_replay(self, entries: list[dict[str, Any]]) -> bool:
        ended = entries[-1]["entry"] == "abort"
        return not ended and entries[0]["plant"] == fingerprint(self.config)

    def _abort(self, entries: list[dict[str, Any]]) -> None:
        self._idle_state = ABORTED
        if entries[-1]["entry"] != "abort":
            why = "the plant's software or package is not the one that began the batch"
            self._journal.append({"entry": "abort", "why": why, "at": _now()})

    def _results_of(self, number: int) -> list[Result]:
        """Return a batch's results; those of an earlier batch by playing its journal again."""
        if self._run and number == self._run.number:
            return self._run.results
        if number not in self._past:
            entries = self._journal.read(number)
            known = bool(entries) and self._can_replay(entries)
            self._past[number] = replay(self.config, number, entries).results if known else []
        return self._past[number]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
