"""Children are watched: they come back, they stop in order, they die with their supervisor."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.services import fresh_folder
from twin_core.supervisor import processes, status
from twin_core.supervisor.processes import Child, Supervisor
from twin_core.supervisor.roster import CHECKOUT
from twin_core.supervisor.services import ServiceFailed
from twin_core.supervisor.status import State

PATIENCE = 20.0  # seconds after which a test gives up; nothing is measured by it


def sleeper(name: str = "sleeper", **more) -> Child:
    return Child(name=name, argv=lambda: ["/bin/sleep", "1000"], env={}, **more)


def eventually(condition) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    folder = fresh_folder()
    folder.make()
    made = Supervisor(folder)
    yield made
    made.stop()


def tick_until(supervisor: Supervisor, condition) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        supervisor.tick()


@pytest.mark.requirement("URS-SVC-006")
def test_a_killed_child_comes_back_and_the_status_says_so_meanwhile(supervisor):
    supervisor.start(sleeper())
    watched = supervisor.watched[0]
    first = watched.status.pid
    os.kill(first, signal.SIGKILL)
    tick_until(supervisor, lambda: watched.status.state is State.RESTARTING)
    told = status.read(supervisor.folder)
    assert told.running
    assert [(p.name, p.state, p.pid) for p in told.processes] == [
        ("sleeper", State.RESTARTING, None)
    ]
    tick_until(supervisor, lambda: watched.status.state is State.READY)
    assert watched.status.pid != first
    assert watched.status.restarts == 1
    assert status.read(supervisor.folder).processes[0].pid == watched.status.pid


@pytest.mark.requirement("URS-SVC-006")
def test_failures_in_a_row_are_answered_ever_more_slowly(supervisor, monkeypatch):
    supervisor.start(sleeper())
    watched = supervisor.watched[0]
    pauses = []
    for _ in range(9):
        watched._note_end(1)
        pauses.append(watched.due_at - time.monotonic())
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10], abs=0.05)
    monkeypatch.setattr(processes, "CALM", -1.0)  # it has lived long enough: forgiven
    watched._note_end(1)
    assert watched.failures == 1


@pytest.mark.requirement("URS-SVC-006")
def test_a_restart_waits_for_what_the_last_one_left(supervisor):
    left = subprocess.Popen(["/bin/sleep", "1000"])
    remains: list[psutil.Process] = []
    supervisor.start(sleeper(leftovers=lambda: remains if left.poll() is None else []))
    watched = supervisor.watched[0]
    remains.append(psutil.Process(left.pid))
    os.kill(watched.status.pid, signal.SIGKILL)
    tick_until(supervisor, lambda: watched.left_since is not None)
    assert watched.process is None
    left.kill()
    tick_until(supervisor, lambda: watched.status.state is State.READY)


@pytest.mark.requirement("URS-SVC-006")
def test_a_child_that_never_lives_stops_the_start_and_names_its_log(supervisor):
    with pytest.raises(ServiceFailed, match=r"broken does not start: see .*broken\.log"):
        supervisor.start(Child(name="broken", argv=lambda: ["/bin/false"], env={}))


def test_a_program_that_is_missing_is_told(supervisor):
    with pytest.raises(OSError, match="no-such-program"):
        supervisor.start(Child(name="x", argv=lambda: ["/no-such-program"], env={}))


def test_children_stop_in_reverse_order(supervisor, monkeypatch):
    order = []
    monkeypatch.setattr(processes, "end", lambda process, *_, **__: (
        order.append(process.pid), process.kill(), process.wait()))  # fmt: skip
    for name in ("first", "second", "third"):
        supervisor.start(sleeper(name))
    pids = [watched.status.pid for watched in supervisor.watched]
    supervisor.stop()
    assert order == pids[::-1]
    assert {p.state for p in status.read(supervisor.folder).processes} == {State.STOPPED}


def test_a_child_gets_no_more_of_the_environment_than_it_is_given(supervisor, monkeypatch):
    monkeypatch.setenv("TWIN_DATABASE_ADMIN_URL", "postgresql://postgres:x@/")
    supervisor.start(sleeper())
    environment = psutil.Process(supervisor.watched[0].status.pid).environ()
    assert environment == {}


PARENT = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from twin_core.supervisor.folder import DataFolder
    from twin_core.supervisor.processes import Child, Supervisor
    folder = DataFolder(Path(sys.argv[1]))
    folder.make()
    supervisor = Supervisor(folder)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
    for name, code in (("polite", "import time; time.sleep(1000)"), ("deaf", deaf)):
        supervisor.start(Child(name, lambda code=code: [sys.executable, "-c", code], {}))
        time.sleep(0.5)
    print("up", flush=True)
    supervisor.run()
""")


@pytest.mark.requirement("URS-SVC-007")
def test_no_child_outlives_a_killed_supervisor_and_its_next_start():
    folder = fresh_folder()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder.path)], stdout=subprocess.PIPE, cwd=CHECKOUT
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"up\n"
    polite, deaf = (p.pid for p in status.read(folder).processes)
    parent.kill()
    parent.wait()
    assert not status.read(folder).running
    if sys.platform == "linux":
        eventually(lambda: status.created(polite) is None)
    assert deaf in {process.pid for process in status.survivors(folder)}
    patient = processes.STOP_PATIENCE
    processes.STOP_PATIENCE = 0.3
    try:
        Supervisor(folder).end_survivors()
    finally:
        processes.STOP_PATIENCE = patient
    assert status.survivors(folder) == []


@pytest.mark.requirement("URS-SVC-007")
def test_a_reused_number_is_not_taken_for_a_survivor():
    folder = fresh_folder()
    folder.make()
    reused = status.ProcessStatus("web", State.READY, status.now(), pid=os.getpid(), created=1.0)
    status.write(folder, supervisor=os.getpid(), processes=[reused])
    assert status.survivors(folder) == []
    assert status.read(folder).running


def test_a_folder_never_supervised_reports_nothing():
    folder = fresh_folder()
    assert status.read(folder) == status.Report(running=False, processes=[])
