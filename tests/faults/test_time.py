"""Clocks that are set, part, drift and lose their source; zones that change; clients that lie."""

import struct
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import cycle, islice, pairwise

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from audit import api, canonical, signatures
from audit.models import Record, Signature
from audit.recovery import clock
from tests.audit.people import enter
from tests.faults import shifted

HOUR, YEAR = 3600.0, 365 * 86400.0
WRITER = """
import sys
import django

django.setup()
from audit import api

for line in sys.stdin:
    made = [
        api.append_alone(stream="test", kind="test.fact.noted", data={"n": f"{line.strip()}.{n}"})
        for n in range(2)
    ]
    print(" ".join(str(record.pk) for record in made), flush=True)
"""


class Clocks:
    """A time port that a test holds: how far the wall is off, and what the machine says."""

    def __init__(self, off: float = 0.0, quality: clock.Quality | None = None) -> None:
        self.off = off
        self.told = quality or clock.Quality(True, 0.001, "test")

    def wall(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.off)

    def steady(self) -> float:
        return clock.Machine().steady()

    def quality(self) -> clock.Quality:
        return self.told


@pytest.mark.fault("TIM-01")
@pytest.mark.requirement("URS-AUD-042")
def test_an_application_clock_that_is_set_changes_no_order_and_is_on_record(
    campaign, services, ledger_db, tmp_path
):
    acknowledged, found = [], 0
    steps = list(islice(cycle((-HOUR, HOUR, YEAR, 0.0)), campaign.runs))
    with shifted.running(WRITER, services.environment(ledger_db), tmp_path) as writer:
        acknowledged += writer.ask("true").split()
        for run, offset in enumerate(steps):
            before = Record.objects.filter(kind="audit.clock.parted").count()
            writer.set_clock(offset)
            acknowledged += writer.ask(str(run)).split()
            told = Record.objects.filter(kind="audit.clock.parted").order_by("-id")
            ahead = float(api.content(told[0])["data"]["ahead"]["value"])
            found += told.count() == before + 1 and abs(ahead + offset) < 10
    rows = Record.objects.filter(stream="test").order_by("transaction", "id")
    stored = [str(record.pk) for record in rows]
    wanted = [f"{n}.{k}" for n in ("true", *range(len(steps))) for k in range(2)]
    order = [api.content(record)["data"]["n"] for record in rows]
    campaign.saw(
        order_errors=sum(a != b for a, b in zip(order, wanted, strict=True))
        + sum(later.recorded_at < first.recorded_at for first, later in pairwise(rows)),
        steps_detected_share=found / len(steps),
        lost_acked=len(set(acknowledged) - set(stored)),
    )


def sign_now(person) -> None:
    """Prove and sign a record now, by the real clocks; raises what signing refuses with."""
    proof = person.prove(timezone.now())
    with transaction.atomic():
        record = api.append(stream="test", kind="test.fact.noted", actor=person.user)
        signatures.sign(
            record,
            signer=person.user,
            proof=proof,
            meaning="review",
            reason="read",
            view={"n": 1},
        )


@pytest.mark.fault("TIM-02")
@pytest.mark.requirement("URS-AUD-042")
def test_nothing_is_signed_while_application_and_database_differ(campaign, ledger_db, monkeypatch):
    over = found = wanted = 0
    for run in range(campaign.runs):
        off = (0.5, 5.0, HOUR)[run % 3] * (-1) ** (run // 3)
        person = enter(f"signer{run}", "qa_reviewer")
        monkeypatch.setattr(clock, "machine", Clocks())
        watch = clock.Watch(clock.look())
        monkeypatch.setattr(clock, "machine", Clocks(off))
        told = [event for event in watch.see(clock.look()) if event.what in {"parted", "stepped"}]
        wanted, found = wanted + 1, found + bool(told)
        before = Signature.objects.count()
        try:
            sign_now(person)
        except clock.TimeUnsynchronised as refused:
            assert (refused.status, refused.code) == (503, "time_unsynchronised")
        made = Signature.objects.count() - before
        over += made if abs(off) > 1 else 0
        assert made == (abs(off) < 1)
    campaign.saw(signatures_over_limit=over, detected_share=found / wanted)


@pytest.mark.requirement("URS-AUD-042")
def test_a_clock_that_parts_after_the_proof_stops_the_signature_itself(ledger_db, monkeypatch):
    person = enter("signer", "qa_reviewer")
    proof = person.prove(timezone.now())
    monkeypatch.setattr(clock, "machine", Clocks(HOUR))
    with transaction.atomic(), pytest.raises(clock.TimeUnsynchronised, match="differ by"):
        record = api.append(stream="test", kind="test.fact.noted", actor=person.user)
        signatures.sign(
            record, signer=person.user, proof=proof, meaning="review", reason="r", view={}
        )


@pytest.mark.fault("TIM-05")
@pytest.mark.requirement("URS-AUD-042")
def test_a_lost_time_source_is_flagged_at_once_and_stops_signing_where_it_is_required(
    campaign, ledger_db, monkeypatch
):
    unflagged = 0
    person = enter("signer", "qa_reviewer")
    for run in range(campaign.runs):
        drift = 10 ** (-5 + 3 * (run % 10) / 9)  # 10 ppm to 1 %
        unflagged += drifted_unflagged(drift, days=1 + run % 5)
        monkeypatch.setattr(clock, "machine", Clocks(quality=clock.Quality(False, 16.0, "test")))
        with (
            override_settings(TIME_SOURCE_REQUIRED=True),
            pytest.raises(clock.TimeUnsynchronised, match="undisciplined"),
        ):
            sign_now(person)
    assert not Signature.objects.exists()
    campaign.saw(unflagged_over_limit=unflagged)


def drifted_unflagged(drift: float, *, days: int) -> int:
    """Watch a clock that drifts without a source, every ten minutes; count what was not flagged.

    The flag is the last quality told, or a difference of the clocks that was told.
    """
    lost = clock.Quality(False, None, "test")
    watch = clock.Watch(clock.Look(0.0, 0.0, 0.0, clock.Quality(True, 0.001, "test")))
    watch.see(clock.Look(0.0, 0.0, 0.0, clock.Quality(True, 0.001, "test")))
    flagged, missed = False, 0
    for minutes in range(10, days * 1440, 10):
        true = minutes * 60.0
        for event in watch.see(clock.Look(true, true * (1 + drift), true, lost)):
            flagged |= event.what in {"quality", "parted", "stepped"}
        missed += abs(true * drift) >= clock.ALARM and not flagged
    return missed


@pytest.mark.requirement("URS-AUD-042")
def test_a_clock_set_back_is_told_as_such_and_a_slow_drift_too():
    good = clock.Quality(True, 0.001, "test")
    watch = clock.Watch(clock.Look(100.0, 100.0, 0.0, good))
    assert [event.what for event in watch.see(clock.Look(101.0, 101.0, 1.0, good))] == ["quality"]
    [database, machine] = watch.see(clock.Look(99.0, 99.0, 2.0, good))
    assert (database.what, database.clock, machine.clock) == ("stepped", "database", "machine")
    assert database.seconds == pytest.approx(-3.0)
    assert database.is_alarm
    told = []
    for second in range(3, 60):
        now = 97.0 + second * 1.02
        told += watch.see(clock.Look(now, now, float(second), good))
    assert [event.what for event in told] == ["drifted"]
    assert told[0].seconds == pytest.approx(1.0, abs=0.05)


@pytest.mark.requirement("URS-AUD-042")
def test_clocks_that_part_and_agree_again_are_told_once_each():
    good = clock.Quality(None)
    watch = clock.Watch(clock.Look(0.0, 0.0, 0.0, good))
    told = []
    for second, ahead in enumerate((0, 0, 6, 6, 0.9, 0.1, 0.1), start=1):
        told += watch.see(clock.Look(second + ahead, float(second), float(second), good))
    kinds = [event.what for event in told if event.what in {"parted", "agreed"}]
    assert kinds == ["parted", "agreed"]


@pytest.mark.requirement("URS-AUD-042")
def test_the_sealer_records_what_it_sees_of_the_time(ledger):
    with ledger.as_sealer():
        work = ledger.sealer()
        work.watch_clock()
        last = work.clock.last
        work.clock.last = clock.Look(last.database - 3, last.wall, last.steady, last.quality)
        work.watch_clock()
    quality, stepped = [api.content(record) for record in Record.objects.order_by("id")]
    assert quality["kind"] == "audit.clock.quality"
    assert quality["data"]["quality"] in {"disciplined", "undisciplined", "unknown"}
    assert stepped["kind"] == "audit.clock.stepped"
    assert float(stepped["data"]["seconds"]["value"]) == pytest.approx(3.0, abs=0.05)
    assert stepped["data"]["level"] == "alarm"


@pytest.mark.requirement("URS-AUD-042")
def test_a_machine_that_says_nothing_of_its_clock_is_told_as_unknown(monkeypatch):
    monkeypatch.setattr(clock.sys, "platform", "other")
    assert clock.Machine().quality() == clock.Quality(None)
    assert clock.Quality(None).word == "unknown"


ZONES = (
    *("Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"),
    *("America/St_Johns", "Africa/Casablanca", "America/Sao_Paulo", "Asia/Tehran"),
    *("Pacific/Apia", "Europe/Dublin"),
)


@cache
def transitions(name: str) -> tuple[datetime, ...]:
    """Return each second from 2000 to 2040 at which a zone changes its offset."""
    zone, day = zoneinfo.ZoneInfo(name), timedelta(days=1)
    found, now = [], datetime(2000, 1, 1, tzinfo=UTC)
    while now.year < 2041:
        low, high = now, now + day
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                same = middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high)
        now += day
    return tuple(found)


@pytest.mark.fault("TIM-04")
@pytest.mark.requirement("URS-AUD-042")
def test_no_time_is_ambiguous_where_a_zone_changes_its_offset(campaign):
    """Each transition in each zone, then moments around it, as many as the campaign asks for."""
    around = [timedelta(seconds=s) for s in (-1, 0, 1, -1800, 1800, -3600, 3599, 3600, 7200)]
    turns = [(name, turn) for name in ZONES for turn in transitions(name)]
    assert {name for name, _ in turns} >= set(ZONES) - {"Asia/Kathmandu"}
    wanted = max(campaign.runs, 1)
    ambiguous = wrong = 0
    for run in range(wanted):
        name, turn = turns[run * 7919 % len(turns)]
        moment = turn + around[run % len(around)]
        later = moment + timedelta(minutes=30)
        with override_settings(SITE_TIME_ZONE=name):
            shown = [signatures.site_time(each) for each in (moment, later)]
        ambiguous += [datetime.fromisoformat(text) for text in shown] != [moment, later]
        stored = [canonical.timestamp(each) for each in (moment, later)]
        read = [datetime.fromisoformat(text) for text in stored]
        wrong += read[1] - read[0] != timedelta(minutes=30) or not all(
            text.endswith("Z") for text in stored
        )
    campaign.saw(ambiguous_times=ambiguous, duration_errors=wrong)


@pytest.mark.requirement("URS-AUD-042")
def test_the_repeated_hour_is_shown_with_two_offsets():
    with override_settings(SITE_TIME_ZONE="Europe/Zurich"):
        first = signatures.site_time(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
        second = signatures.site_time(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert (first, second) == ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00")


def test_the_shim_moves_the_time_of_day_alone(tmp_path):
    program = (
        "import sys, time\nfor line in sys.stdin:\n"
        "    print(time.time(), time.monotonic(), flush=True)\n"
    )
    with shifted.running(program, {}, tmp_path) as process:
        wall, steady = map(float, process.ask("").split())
        process.set_clock(-HOUR)
        wall_after, steady_after = map(float, process.ask("").split())
    assert wall_after - wall == pytest.approx(-HOUR, abs=5)
    assert 0 <= steady_after - steady < 5
    assert struct.calcsize("d") == 8
