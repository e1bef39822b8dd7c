"""When the next attempt is let in after failures: a table of thresholds and a doubling wait.

Attempts during a wait are refused unseen and do not lengthen it, so that a stranger who knows a
name can neither read anything from the answers nor keep its owner out for long.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Attempt:
    """One judged attempt: when, from which address, and whether it was accepted."""

    at: datetime
    address: str | None
    accepted: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """``free`` failures in a row cost nothing more; each further one doubles the wait."""

    free: int
    first: timedelta
    longest: timedelta

    def wait(self, failures: int) -> timedelta:
        if failures < self.free:
            return timedelta(0)
        doublings = min(failures - self.free, 16)
        return min(self.first * 2**doublings, self.longest)


SAME_ADDRESS = Rule(free=5, first=timedelta(seconds=30), longest=timedelta(minutes=5))
ANY_ADDRESS = Rule(free=20, first=timedelta(seconds=30), longest=timedelta(minutes=1))
LOOK_BACK = 30  # attempts: more than any threshold, and every longer run waits the longest anyway


def locked_until(attempts: Iterable[Attempt], *, address: str | None) -> datetime | None:
    """Return the end of the wait for an attempt from ``address``; None when there is none.

    ``attempts`` are those of one person and purpose, newest first. Five failures in a row from
    one address make that address wait; twenty from anywhere make everyone wait a minute at most.
    """
    attempts = list(attempts)
    here = [attempt for attempt in attempts if attempt.address == address]
    ends = [end for end in (_end(here, SAME_ADDRESS), _end(attempts, ANY_ADDRESS)) if end]
    return max(ends, default=None)


def _end(newest_first: list[Attempt], rule: Rule) -> datetime | None:
    failures = 0
    for attempt in newest_first:
        if attempt.accepted:
            break
        failures += 1
    wait = rule.wait(failures)
    return newest_first[0].at + wait if wait else None
