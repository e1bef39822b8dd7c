"""How far the time can be believed: steps, drift, differences, and what the machine says of it.

The time on records is the database's. Each look compares it with this machine's time of day and
with a clock that nobody can set; what has changed becomes a record. Seconds everywhere.
"""

import ctypes
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from django.conf import settings
from django.db import connection

from audit.refusals import Refused

STEP = 0.1  # a change between two looks that is recorded as a step
ALARM = 1.0  # from here on it is an alarm: of steps, drift and differences
GRAVE = 5.0  # from here on quality assurance is told too


@dataclass(frozen=True, slots=True)
class Quality:
    """What the machine says of its clock; ``is_disciplined`` is None where it says nothing."""

    is_disciplined: bool | None
    error: float | None = None  # largest error that the source admits
    source: str = "none"

    @property
    def word(self) -> str:
        words = {True: "disciplined", False: "undisciplined", None: "unknown"}
        return words[self.is_disciplined]


class TimePort(Protocol):
    """The clocks of one machine; tests put their own in its place."""

    def wall(self) -> datetime: ...
    def steady(self) -> float: ...
    def quality(self) -> Quality: ...


class _Timex(ctypes.Structure):
    """struct timex of Linux (adjtimex(2)), as far as it is read, with room for the rest."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),  # microseconds
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    ]


STA_UNSYNC, TIME_ERROR = 0x40, 5  # linux/timex.h


class Machine:
    """This machine's clocks. Chrony and ntpd tell the kernel how good the time is; we ask it."""

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def steady(self) -> float:
        return time.monotonic()

    def quality(self) -> Quality:
        if sys.platform != "linux":
            return Quality(None)
        told = _Timex(modes=0)  # read only
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(told))
        if state < 0:
            return Quality(None)
        is_disciplined = state != TIME_ERROR and not told.status & STA_UNSYNC
        return Quality(is_disciplined, told.maxerror / 1e6, "kernel")


machine: TimePort = Machine()


@dataclass(frozen=True, slots=True)
class Look:
    """All clocks at one moment: database and wall in seconds since 1970, steady from anywhere."""

    database: float
    wall: float
    steady: float
    quality: Quality

    @property
    def difference(self) -> float:
        return self.database - self.wall


def look() -> Look:
    """Read all clocks; the machine's own in the middle of the question to the database."""
    before, steady = machine.wall().timestamp(), machine.steady()
    theirs = database_now().timestamp()
    half = (machine.steady() - steady) / 2
    return Look(theirs, before + half, steady + half, machine.quality())


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


@dataclass(frozen=True, slots=True)
class Event:
    """Something about the time that becomes a record of kind ``audit.clock.<what>``."""

    what: str
    reason: str
    seconds: float | None = None
    clock: str = "database"
    quality: Quality | None = None

    @property
    def is_alarm(self) -> bool:
        return self.seconds is not None and abs(self.seconds) >= ALARM


class Watch:
    """Compares each look with those before; remembers what was told already."""

    def __init__(self, first: Look) -> None:
        self.last = self.base = first
        self.is_apart = False
        self.told: tuple[str, bool] | None = None

    def see(self, now: Look) -> list[Event]:
        """Return what is new in this look."""
        found = [*self._steps(now), *self._drift(now), *self._difference(now), *self._quality(now)]
        self.last = now
        return found

    def _steps(self, now: Look) -> Iterator[Event]:
        past, last = now.steady - self.last.steady, self.last
        for clock, step in (
            ("database", now.database - last.database - past),
            ("machine", now.wall - last.wall - past),
        ):
            if abs(step) > STEP:
                way = "back" if step < 0 else "ahead"
                reason = f"the {clock}'s clock was set {way} against a monotonic one"
                yield Event("stepped", reason, step, clock)

    def _drift(self, now: Look) -> Iterator[Event]:
        """A slow parting, in no single step; measured anew after each step."""
        step = now.database - self.last.database - (now.steady - self.last.steady)
        if abs(step) > STEP:
            self.base = now
            return
        past = now.steady - self.base.steady
        drift = now.database - self.base.database - past
        if abs(drift) >= ALARM:
            self.base = now
            yield Event("drifted", f"the database's clock drifted over {past:.0f} s", drift)

    def _difference(self, now: Look) -> Iterator[Event]:
        apart = abs(now.difference) >= (ALARM / 2 if self.is_apart else ALARM)
        if apart != self.is_apart:
            self.is_apart = apart
            what = "parted" if apart else "agreed"
            reason = f"the clocks of database and machine {'differ' if apart else 'agree again'}"
            yield Event(what, reason, now.difference)

    def _quality(self, now: Look) -> Iterator[Event]:
        told = (now.quality.word, _is_over(now.quality))
        if told != self.told:
            self.told = told
            reason = f"the machine's time source: {now.quality.word}"
            yield Event("quality", reason, quality=now.quality, clock="machine")


def _is_over(quality: Quality) -> bool:
    return quality.error is not None and quality.error > settings.CLOCK_LIMIT_S


class TimeUnsynchronised(Refused):
    """The time is in doubt: nothing is signed until it is right again."""

    status = 503
    code = "time_unsynchronised"
    act = "audit.signature"
    what_to_do = "Tell the system administrator: the clocks have to be set by the time server."


def require_agreement() -> None:
    """Raise TimeUnsynchronised while the time cannot stand beside a signature."""
    now = look()
    if abs(now.difference) > settings.CLOCK_LIMIT_S:
        raise TimeUnsynchronised(
            f"the clocks of database and application differ by {now.difference:+.1f} s",
            data={"difference_ms": round(now.difference * 1000)},
        )
    quality = now.quality
    if settings.TIME_SOURCE_REQUIRED and (quality.is_disciplined is not True or _is_over(quality)):
        error = "" if quality.error is None else f", error up to {quality.error:.1f} s"
        raise TimeUnsynchronised(
            f"the time source of this machine is {quality.word}{error}",
            data={"quality": quality.word, "source": quality.source},
        )


class Own:
    """A writing process's own clock, seen against the time that the database gave its records."""

    def __init__(self) -> None:
        self.told = 0.0

    def parted(self, before: datetime, recorded: datetime, after: datetime) -> float | None:
        """Return how far the database is ahead, in seconds, when that is news; else None.

        ``before`` and ``after`` are this process's time around the insert.
        """
        ahead = (recorded - after).total_seconds()
        behind = (recorded - before).total_seconds()
        difference = ahead if ahead > 0 else min(behind, 0.0)
        return difference if abs(difference - self.told) >= ALARM else None


own = Own()
