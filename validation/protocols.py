"""Protocols in the words a tester would read aloud: instruct, expect, attach."""

import hashlib
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

Risk = Literal["high", "medium", "low"]
Outcome = Literal["passed", "failed", "not_run"]
Action = Callable[["Run"], None]


class ProtocolInvalid(ValueError):
    """A protocol is declared wrongly; the message names the step and what to do."""


@dataclass(frozen=True)
class Observation:
    """One comparison: what was looked at, what had to be seen, what was seen."""

    what: str
    expected: str
    actual: str
    passed: bool
    instruction: str  # the instruction in force when it was made; may be empty


@dataclass(frozen=True)
class Attachment:
    """Evidence too large for a table, known by its digest."""

    name: str
    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def as_told(self) -> dict[str, str | int]:
        """Return what stands in a record in the place of the content."""
        return {
            "name": self.name,
            "digest": self.digest,
            "media_type": self.media_type,
            "bytes": len(self.content),
        }


@dataclass(frozen=True)
class Step:
    """One step: what it shows (first line of its docstring) and for which requirements."""

    id: str
    title: str
    verifies: tuple[str, ...]
    risk: Risk
    action: Action


@dataclass
class Run:
    """What a step sees while it runs, and where its evidence is gathered.

    ``actor`` is who executes the protocol; steps hand it on as the actor of their records.
    """

    actor: Any
    observations: list[Observation] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    instructions: list[str] = field(default_factory=list)

    def instruct(self, text: str) -> None:
        """State what is done next."""
        self.instructions.append(text)

    def expect(
        self, what: str, actual: Any, *, equals: Any = ..., at_most: float | None = None
    ) -> bool:
        """Compare and note the result; a failure fails the step, which goes on observing.

        Give exactly one of ``equals`` and ``at_most``. Values are noted as text: as they are when
        they are text, as ``repr`` shows them otherwise.
        """
        if (equals is ...) == (at_most is None):
            raise ProtocolInvalid(f"{what}: expect exactly one of equals and at_most")
        if at_most is None:
            return self._note(what, _text(equals), _text(actual), passed=bool(actual == equals))
        return self._note(what, f"at most {at_most}", _text(actual), passed=actual <= at_most)

    @contextmanager
    def refusal(self, what: str, *, by: type[Exception], naming: str) -> Iterator[None]:
        """Expect the body to be refused by an exception whose message contains ``naming``.

        Another exception is not swallowed: the step ends as failed with its text.
        """
        expected = f"refused: … {naming} …"
        try:
            yield
        except by as error:
            reason = next(iter(str(error).splitlines()), "")  # the database adds where it was
            self._note(what, expected, f"refused: {reason}", passed=naming in reason)
        else:
            self._note(what, expected, "accepted", passed=False)

    def attach(self, name: str, content: bytes | str, media_type: str = "text/plain") -> None:
        """Keep ``content`` as evidence under its digest."""
        data = content.encode() if isinstance(content, str) else content
        self.attachments.append(Attachment(name, data, media_type))

    def _note(self, what: str, expected: str, actual: str, *, passed: bool) -> bool:
        instruction = self.instructions[-1] if self.instructions else ""
        self.observations.append(Observation(what, expected, actual, passed, instruction))
        return passed


@dataclass(frozen=True)
class StepResult:
    """What came of one step."""

    step: Step
    outcome: Outcome
    instructions: tuple[str, ...] = ()
    observations: tuple[Observation, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    error: str | None = None  # the exception that ended the step, as one line

    @property
    def is_critical(self) -> bool:
        """A failed step of high risk: nothing after it could be trusted."""
        return self.outcome == "failed" and self.step.risk == "high"


@dataclass
class Protocol:
    """A named, ordered list of steps."""

    name: str
    title: str
    steps: list[Step] = field(default_factory=list)

    def step(
        self, id: str, *, verifies: list[str], risk: Risk = "medium"
    ) -> Callable[[Action], Action]:
        """Add the decorated function as the next step. Its docstring says what it shows."""

        def add(action: Action) -> Action:
            self._check(id, action, verifies)
            title = (action.__doc__ or "").strip().splitlines()[0]
            self.steps.append(Step(id, title, tuple(verifies), risk, action))
            return action

        return add

    def _check(self, id: str, action: Action, verifies: list[str]) -> None:
        if not id.startswith(f"{self.name}-"):
            raise ProtocolInvalid(f"{id}: a step of {self.name} is called {self.name}-NNN")
        if any(step.id == id for step in self.steps):
            raise ProtocolInvalid(f"{id} stands twice; an identifier is never reused")
        if not (action.__doc__ or "").strip():
            raise ProtocolInvalid(f"{id}: write in its docstring what the step shows")
        if not verifies:
            raise ProtocolInvalid(f"{id}: name at least one requirement that it verifies")


def perform(step: Step, *, actor: Any) -> StepResult:
    """Run one step. It passes when it observed something, all as expected, and raised nothing."""
    run, error = Run(actor), None
    try:
        step.action(run)
    except Exception as raised:  # whatever it is, it is the finding
        error = " ".join("".join(traceback.format_exception_only(raised)).split())
    passed = error is None and bool(run.observations) and all(o.passed for o in run.observations)
    if error is None and not run.observations:
        error = "the step observed nothing: a step without an expectation shows nothing"
    return StepResult(
        step=step,
        outcome="passed" if passed else "failed",
        instructions=tuple(run.instructions),
        observations=tuple(run.observations),
        attachments=tuple(run.attachments),
        error=error,
    )


def perform_all(protocol: Protocol, *, actor: Any) -> Iterator[StepResult]:
    """Yield the result of each step in order; after a critical failure the rest is not run."""
    stopped = False
    for step in protocol.steps:
        result = StepResult(step, "not_run") if stopped else perform(step, actor=actor)
        stopped = stopped or result.is_critical
        yield result


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)
