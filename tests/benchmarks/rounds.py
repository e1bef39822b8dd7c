"""Interleaved rounds: every variant runs once a round, ratios are taken inside a round."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Measure = Callable[[], dict[str, float]]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio must reach: at least (``at_least``) or at most the ``bound``."""

    bound: float
    at_least: bool = True

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was compared, the median ratio and its spread."""

    what: str
    against: str
    ratio: float
    least: float
    most: float
    rounds: int
    goal: Goal | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        return "met" if self.goal.is_met(self.ratio) else "missed"


@dataclass(slots=True)
class Rounds:
    """What each variant measured, round by round: {variant: [{"rate": …, "cpu": …}]}."""

    seen: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def run(
        self, variants: dict[str, Measure], rounds: int, say: Callable[[str], object] = print
    ) -> None:
        """Run every variant once a round, each round beginning with another one."""
        names = list(variants)
        for number in range(rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                measured = variants[name]()
                self.seen.setdefault(name, []).append(measured)
                facts = "  ".join(f"{key} {value:,.4g}" for key, value in measured.items())
                say(f"round {number + 1}/{rounds}  {name:<42}{facts}")

    def row(
        self, what: str, against: str, *, by: str = "rate", goal: Goal | None = None, note: str = ""
    ) -> Row:
        """Compare two variants by one of their figures."""
        pairs = zip(self.seen[what], self.seen[against], strict=True)
        ratios = [one[by] / other[by] for one, other in pairs]
        return made(what, against, ratios, goal=goal, note=note)

    def median(self, name: str, figure: str) -> float:
        return statistics.median(each[figure] for each in self.seen[name])

    def figure(self, name: str, figure: str, *, goal: Goal | None = None, unit: str = "") -> Row:
        """Return a variant's own figure as a row, where the goal is no ratio."""
        return made(name, unit, [each[figure] for each in self.seen[name]], goal=goal)


def made(
    what: str, against: str, values: Sequence[float], *, goal: Goal | None = None, note: str = ""
) -> Row:
    middle = statistics.median(values)
    return Row(what, against, middle, min(values), max(values), len(values), goal, note)


def as_table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    head = "| measured | against, or unit | median | spread | rounds | goal | |\n"
    head += "|---|---|---|---|---|---|---|\n"
    return head + "".join(
        f"| {row.what} | {row.against} | {row.ratio:.3g} | {row.least:.3g} to {row.most:.3g} "
        f"| {row.rounds} | {row.goal or ''} | {row.verdict}{row.note and ' ' + row.note} |\n"
        for row in rows
    )
