"""Processes killed with SIGKILL while the loop runs: nothing acknowledged is lost or done twice."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import psycopg
import pytest

from tests.demonstration import AWAY, Demonstration, eventually, running_demonstration

pytestmark = pytest.mark.timeout(900)
SEED = 20_261_124
PAUSE_S = (0.5, 4.0)  # seconds of the loop between two kills
BACK_WITHIN = 60.0  # seconds for a killed process to be ready again
ADVISED_WITHIN, CONFIRMED_WITHIN = 240.0, 240.0  # seconds at this pace, on a busy machine
KEPT = ("audit_signature", "twin_core_labresult", "twin_core_recommendation")
LEAVING = "SELECT id FROM twin_core_setpointwrite WHERE state = 'sent'"
NOW = "SELECT clock_timestamp()"
CONFIRMED_SINCE = """
SELECT id FROM audit_record WHERE kind = 'twin_core.setpoint_write.confirmed' AND recorded_at > %s
"""
SENT = """
SELECT payload::jsonb #>> '{changes,0,new,recommendation_id}', count(*) FROM audit_record
WHERE kind = 'twin_core.setpoint_write.sent' GROUP BY 1
"""
STORY = """
SELECT recorded_at::text, kind, payload::jsonb ->> 'reason' FROM audit_record
WHERE kind LIKE 'twin_core.recommendation.%' OR kind LIKE 'twin_core.setpoint_write.%'
   OR kind LIKE 'twin_core.order.%' ORDER BY id
"""


class Acknowledged:
    """What was seen after its commit: the test's own list, beside the system."""

    def __init__(self, site: Demonstration) -> None:
        self.site = site
        self.seen: dict[str, set[str]] = {table: set() for table in KEPT}

    def look(self) -> None:
        """Note every row that is there now; while the database is away there is nothing to see."""
        with suppress(*AWAY):
            for table in KEPT:
                rows = self.site.rows(f"SELECT id::text FROM {table}")
                self.seen[table] |= {row[0] for row in rows}

    def lost(self) -> dict[str, set[str]]:
        """Return what was seen once and is not there any more, or is in no sealed record."""
        missing = {}
        for table, seen in self.seen.items():
            rows = self.site.rows(f"SELECT id::text FROM {table}")
            if gone := seen - {row[0] for row in rows}:
                missing[table] = gone
        return missing


class Loop:
    """The headless loop: scripted reviewers sign while the test looks on and kills."""

    def __init__(self, site: Demonstration, kept: Acknowledged) -> None:
        from twin_core.supervisor.reviewers import InterfaceFailed, Reviewers

        self.site, self.kept = site, kept
        self.failed = InterfaceFailed
        self.said: list[str] = []
        self.reviewers = Reviewers(site.address, site.people(), self.said.append)

    def act(self) -> None:
        """One pass; a service that is away is met again in the next one."""
        try:
            self.reviewers.act()
        except (self.failed, *AWAY) as error:
            self.said.append(f"trying again: {error}")
        self.kept.look()

    def until(
        self, look: Callable[[], object], *, within: float, what: str, every: float = 0.5
    ) -> None:
        def pass_and_look() -> object:
            self.act()
            return look()

        try:
            eventually(pass_and_look, within=within, what=what, every=every)
        except AssertionError as late:
            late.add_note("\n".join([*self.said[-10:], *map(str, self.site.rows(STORY))]))
            raise

    def run_for(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.act()
            time.sleep(0.2)


def kill(site: Demonstration, name: str) -> int:
    """Kill one process of the site by its number; returns the number."""
    number = site.pids()[name]
    assert number is not None
    assert site.process.pid in {parent.pid for parent in psutil.Process(number).parents()}
    os.kill(number, signal.SIGKILL)
    return number


def kill_and_see_it_back(loop: Loop, name: str) -> None:
    """Kill a process and go on working until the supervisor has brought it back."""
    killed = kill(loop.site, name)

    def is_back() -> bool:
        number = loop.site.pids().get(name)
        return number not in (None, killed) and name not in loop.site.not_ready()

    loop.until(is_back, within=BACK_WITHIN, what=f"{name} is back")


class GateKiller(threading.Thread):
    """Kills the gate while a value is on its way: after it was sent, before it was read back."""

    def __init__(self, site: Demonstration) -> None:
        super().__init__(daemon=True)
        self.site = site
        self.killed: int | None = None
        self.is_over = threading.Event()

    def run(self) -> None:
        while self.killed is None and not self.is_over.is_set():
            with suppress(*AWAY):
                self.watch()

    def watch(self) -> None:
        """Look on one session, as fast as it answers, until a write is under way."""
        with psycopg.connect(self.site.variables()["TWIN_DATABASE_URL"], autocommit=True) as eye:
            while not self.is_over.wait(0.005):
                if eye.execute(LEAVING).fetchone():
                    self.killed = kill(self.site, "gate")
                    return


def journal_of(site: Demonstration) -> list[dict[str, object]]:
    """Return the set points that BR-201 took from outside its own recipe, as its disk has them."""
    folder = site.folder.path / "plants" / "BR-201" / "journal"
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.open()]
    entries = [json.loads(line) for line in lines if line.endswith("\n")]
    return [e for e in entries if e["entry"] == "apply" and e["by"] != "recipe"]


@pytest.fixture(scope="module")
def site() -> Iterator[Demonstration]:
    with running_demonstration() as demonstration:
        yield demonstration


@pytest.mark.requirement("URS-SVC-006")
@pytest.mark.requirement("URS-WBK-006")
@pytest.mark.requirement("URS-REC-008")
@pytest.mark.requirement("URS-AUD-002")
@pytest.mark.fault("WRK-01")
@pytest.mark.fault("ING-10")
@pytest.mark.fault("STO-01")
@pytest.mark.fault("WBK-06")
def test_kills_lose_nothing_acknowledged_and_no_order_is_written_twice(site):
    pause = random.Random(SEED)
    kept = Acknowledged(site)
    loop, killer = Loop(site, kept), GateKiller(site)
    killer.start()
    loop.until(lambda: kept.seen["twin_core_labresult"], within=ADVISED_WITHIN, what="samples come")
    for name in ("worker", "connector", "postgres"):  # the gate: by its own watcher
        loop.run_for(pause.uniform(*PAUSE_S))
        kill_and_see_it_back(loop, name)
    loop.until(lambda: killer.killed, within=ADVISED_WITHIN, what="a write is under way")
    ((last_kill,),) = eventually(lambda: site.rows(NOW), within=BACK_WITHIN, what="the time")
    loop.until(
        lambda: site.rows(CONFIRMED_SINCE, last_kill) and not site.not_ready(),
        within=CONFIRMED_WITHIN,
        what="a write is confirmed after the kills",
    )
    assert kept.lost() == {}
    assert all(kept.seen.values())
    check_written_once(site)


def check_written_once(site: Demonstration) -> None:
    """No order left the gate twice, and the plant's own disk holds no more than were sent."""
    sent = dict(site.rows(SENT))
    assert sent
    assert set(sent.values()) == {1}
    taken = journal_of(site)
    assert 1 <= len(taken) <= len(sent)
    report = site.command("verify_ledger", "--json")
    assert report.returncode == 0, report.stdout + report.stderr
    assert json.loads(report.stdout.splitlines()[-1])["ok"] is True
