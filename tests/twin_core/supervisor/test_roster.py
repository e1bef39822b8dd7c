"""Who runs on one machine, what each process is given, and in which order they come."""

import sys

import pytest
import yaml

from tests.services import fresh_folder
from tests.twin_core.supervisor.test_processes import sleeper, tick_until
from twin_core.supervisor import demonstration, hand_run, models, roster
from twin_core.supervisor.processes import Child, Supervisor
from twin_core.supervisor.roster import CHECKOUT, DEMO, ROSTER
from twin_core.supervisor.services import Services

PLANTS = [entry for entry in ROSTER if entry.name.startswith("plant ")]


@pytest.fixture(scope="module")
def services():
    return Services(fresh_folder(), {"TWIN_DEMO_SPEED": "1234"})


@pytest.fixture
def supervisor():
    folder = fresh_folder()
    folder.make()
    made = Supervisor(folder)
    yield made
    made.stop()


@pytest.mark.requirement("URS-SVC-002")
@pytest.mark.parametrize("entry", ROSTER, ids=lambda entry: entry.name)
def test_no_process_is_given_another_ones_database_address(entry, services):
    given = roster.environment_of(entry, services.variables())
    addresses = {name for name, value in given.items() if "postgresql" in value}
    wanted = {roster.APPLICATION, *entry.also} if entry.variable else set()
    assert addresses == wanted
    if entry.variable:
        assert given[roster.APPLICATION] == services.variables()[entry.variable]


@pytest.mark.requirement("URS-SVC-002")
@pytest.mark.parametrize("entry", PLANTS, ids=lambda entry: entry.name)
def test_a_plant_is_told_nothing_of_ours_but_its_pace(entry, services):
    child = roster.child_of(entry, services, port=0)
    assert not [name for name in child.env if name.startswith("TWIN_")]
    argv = list(child.argv())
    assert argv[argv.index("--speed") + 1] == "1234"


@pytest.mark.requirement("URS-WBK-007")
def test_the_gates_own_role_and_key_are_given_to_no_other_process(services):
    gate = services.variables()["TWIN_GATE_DATABASE_URL"]
    holders = [
        entry.name
        for entry in ROSTER
        if gate in roster.environment_of(entry, services.variables()).values()
    ]
    assert holders == ["gate"]


@pytest.mark.requirement("URS-CON-004")
def test_certificates_are_there_before_the_processes_that_need_them(tmp_path):
    for name in ("connector", "gate", "plant BR-201"):
        entry = next(entry for entry in ROSTER if entry.name == name)
        entry.prepare(tmp_path)
    held = {path.name for path in (tmp_path / "certificates").glob("*.pem")}
    wanted = {
        f"{who}.{what}.pem" for who in ("connector", "gate", "BR-201") for what in ("cert", "key")
    }
    assert held == wanted


@pytest.mark.requirement("URS-REG-001")
def test_the_recorded_plant_plays_cultures_that_its_model_has_never_seen():
    plan = next(plan for plan in models.PLANS if plan.asset == "BR-101")
    path = CHECKOUT / "twin_core/virtual_plant/plants/BR-101.plant.yaml"
    played = set(yaml.safe_load(path.read_text())["batches"])
    assert played <= {batch.batch_id for batch in plan.test_set().batches}
    assert not played & {batch.batch_id for batch in plan.training_set().batches}


def test_the_demonstrations_part_is_left_out_unless_asked_for():
    assert {entry.name for entry in ROSTER if entry.group == DEMO} == {
        "witness",
        "set-up",
        "plant BR-101",
        "plant BR-201",
    }


def test_pace_is_set_only_where_nothing_else_was_said():
    environment = {"TWIN_DEMO_SPEED": "60"}
    demonstration.set_pace(demonstration.PACE, environment)
    assert environment["TWIN_DEMO_SPEED"] == "60"
    assert environment["TWIN_WRITE_BACK_ENABLED"] == "true"


@pytest.mark.requirement("URS-WBK-001")
def test_without_the_demonstration_writing_back_stays_off(monkeypatch):
    from twin_core.config import settings

    monkeypatch.delenv("TWIN_WRITE_BACK_ENABLED", raising=False)
    assert settings.env_bool("TWIN_WRITE_BACK_ENABLED", default=False) is False
    assert "supervise" in hand_run.START_SERVICES


@pytest.mark.requirement("URS-SVC-006")
def test_a_child_that_works_once_is_done_when_it_ends_well_and_tried_again_when_not(supervisor):
    once = Child(name="once", argv=lambda: ["/bin/true"], env={}, is_once=True)
    supervisor.start(once)
    tick_until(supervisor, lambda: supervisor.watched == [])
    argv = ["/bin/sh", "-c", "sleep 0.5; exit 1"]
    failing = Child(name="failing", argv=lambda: argv, env={}, is_once=True)
    supervisor.start(failing)
    tick_until(supervisor, lambda: supervisor.watched[0].status.restarts > 0)


@pytest.mark.requirement("URS-SVC-006")
def test_a_child_that_comes_after_anothers_work_is_started_when_that_is_done(supervisor):
    flag = supervisor.folder.path / "go"
    script = (
        f"import pathlib, time\nwhile not pathlib.Path({str(flag)!r}).exists(): time.sleep(0.05)"
    )
    once = Child(name="once", argv=lambda: [sys.executable, "-c", script], env={}, is_once=True)
    supervisor.start(once)
    supervisor.start(sleeper("later", after="once"))
    assert [watched.child.name for watched in supervisor.watched] == ["once"]
    flag.touch()
    tick_until(supervisor, lambda: [w.child.name for w in supervisor.watched] == ["later"])
    tick_until(supervisor, lambda: supervisor.watched[0].status.pid is not None)


def test_a_child_that_comes_after_somebody_who_is_not_there_starts_at_once(supervisor):
    supervisor.start(sleeper("later", after="nobody"))
    assert supervisor.watched[0].status.pid is not None
