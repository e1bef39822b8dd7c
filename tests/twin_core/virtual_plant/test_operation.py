"""Batches on a process clock that survives the process; the journal decides."""

import json
import os
from pathlib import Path

import pytest

from twin_core.virtual_plant import operation as operation_module
from twin_core.virtual_plant import plant_config
from twin_core.virtual_plant.batch_run import COMPLETE, LOST, RUNNING
from twin_core.virtual_plant.journal import Journal, JournalBroken
from twin_core.virtual_plant.operation import ABORTED, IDLE, Operation, WriteRefused
from twin_core.virtual_plant.operator_desk import OperatorDesk
from twin_core.virtual_plant.plant_config import (
    LAST_SEED,
    PlantConfig,
    PlantConfigInvalid,
    load_config,
)

HOUR = 3600.0
PLANTS = Path(plant_config.__file__).parent / "plants"
SIMULATED = "asset: B\nkind: simulated\nfolder: f\ncertificates: c\n"


def configured(folder, **changes):
    settings = {"speed": 3600.0, "first_seed": 11, "pause_s": 5.0, **changes}
    return PlantConfig("BR-9", "simulated", folder, folder / "certificates", **settings)


def started(folder, **changes):
    operation = Operation(configured(folder, **changes))
    operation.scan(0.0)
    return operation


def facts(scans):
    samples = [(s.time_h, s.tag, s.value) for scan in scans for s in scan.samples]
    results = [(r.sequence, r.batch_id, r.sample) for scan in scans for r in scan.results]
    return samples, results


def test_process_time_moves_as_many_times_faster_as_configured(tmp_path):
    operation = started(tmp_path, speed=60.0)
    for _ in range(100):
        operation.scan(0.7)
    assert operation.time_h == pytest.approx(70 * 60 / 3600, abs=1 / 60)
    assert operation.state == RUNNING
    assert operation.batch_id == "BR-9-0001"


def test_how_wall_time_is_cut_into_scans_changes_no_sample(tmp_path):
    coarse, fine = started(tmp_path / "a"), started(tmp_path / "b")
    one = facts([coarse.scan(10.0)])
    many = facts([fine.scan(0.25) for _ in range(40)])
    assert one == many
    assert len(one[1]) == 14  # two samplings have been reported by 10 h


@pytest.mark.requirement("URS-PLT-008")
def test_a_killed_plant_goes_on_with_the_same_batch(tmp_path):
    whole = started(tmp_path / "whole")
    whole.scan(50.0)
    whole.write("feed.rate", 4.0, by="gate")
    expected = facts([whole.scan(30.0), whole.scan(30.0)])

    killed = started(tmp_path / "killed")
    killed.scan(50.0)
    killed.write("feed.rate", 4.0, by="gate")
    first = killed.scan(30.0)
    del killed  # nothing is closed or flushed beyond what was already on the disk
    again = Operation(configured(tmp_path / "killed"))
    assert (again.time_h, again.batch_id, again.held["feed.rate"]) == (80.0, "BR-9-0001", 4.0)
    assert facts([first, again.scan(30.0)]) == expected


@pytest.mark.requirement("URS-PLT-008")
def test_an_accepted_write_survives_a_kill_before_its_scan(tmp_path):
    operation = started(tmp_path)
    operation.scan(10.0)
    operation.write("temperature.setpoint", 34.0, by="gate")
    del operation
    again = Operation(configured(tmp_path))
    assert again.held["temperature.setpoint"] == 36.8
    again.scan(0.1)
    assert again.held["temperature.setpoint"] == 34.0


@pytest.mark.requirement("URS-PLT-008")
def test_time_stands_still_while_the_process_is_down(tmp_path):
    started(tmp_path).scan(7.0)
    again = Operation(configured(tmp_path))
    assert again.time_h == 7.0
    assert again.scan(1.0).time_h == 8.0


@pytest.mark.requirement("URS-PLT-008")
def test_a_line_cut_short_by_a_crash_never_happened(tmp_path):
    operation = started(tmp_path)
    operation.scan(5.0)
    (path,) = (tmp_path / "journal").glob("*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"entry": "reach", "time')
    again = Operation(configured(tmp_path))
    assert again.time_h == 5.0
    again.scan(1.0)
    assert [json.loads(line)["entry"] for line in path.read_text().splitlines()][-1] == "reach"
    assert Operation(configured(tmp_path)).time_h == 6.0


def test_a_journal_broken_in_the_middle_is_refused_with_its_line(tmp_path):
    started(tmp_path).scan(5.0)
    (path,) = (tmp_path / "journal").glob("*.jsonl")
    path.write_bytes(b"garbage\n" + path.read_bytes())
    with pytest.raises(JournalBroken, match=r"batch-000001\.jsonl, line 1"):
        Operation(configured(tmp_path))


def test_a_batch_that_never_got_its_first_line_starts_anew(tmp_path):
    Journal(tmp_path / "journal").open(1)
    operation = Operation(configured(tmp_path))
    assert operation.state == IDLE
    operation.scan(0.0)
    assert operation.batch_id == "BR-9-0001"


@pytest.mark.requirement("URS-PLT-008")
def test_a_batch_of_other_software_is_aborted_not_guessed(tmp_path, monkeypatch):
    started(tmp_path).scan(5.0)
    monkeypatch.setattr(operation_module, "fingerprint", lambda config: "another")
    again = Operation(configured(tmp_path))
    assert again.state == ABORTED
    assert again.results_since(0, 100) == []
    again.scan(6.0)
    assert (again.state, again.batch_id) == (RUNNING, "BR-9-0002")


def test_every_act_is_on_the_disk_before_it_is_done(tmp_path, monkeypatch):
    operation = started(tmp_path)
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(operation.time_h))
    operation.scan(3.0)
    operation.write("feed.rate", 2.0, by="gate")
    assert synced == [0.0, 3.0]


@pytest.mark.requirement("URS-PLT-007")
def test_results_are_numbered_without_a_gap_and_given_again_after_any_number(tmp_path):
    operation = started(tmp_path)
    seen = [r for _ in range(60) for r in operation.scan(1.0).results]
    numbers = [r.sequence for r in seen]
    assert numbers == list(range(1_000_001, 1_000_001 + len(seen)))
    assert operation.results_since(0, 1000) == seen
    assert operation.results_since(1_000_010, 5) == seen[10:15]
    assert operation.results_since(numbers[-1], 10) == []
    assert operation.last_sequence == numbers[-1]


@pytest.mark.requirement("URS-PLT-007")
def test_results_of_an_earlier_batch_are_given_again_after_a_restart(tmp_path):
    operation = started(tmp_path)
    operation.scan(20.0)
    operation.write("harvest", 1.0, by="operator")
    operation.scan(0.1)
    first = operation.results_since(0, 1000)
    operation.scan(6.0)
    operation.scan(9.0)
    assert operation.batch_id == "BR-9-0002"
    both = operation.results_since(0, 1000)
    assert both[: len(first)] == first
    assert both[len(first)].sequence == 2_000_001
    assert Operation(configured(tmp_path)).results_since(0, 1000) == both


def test_results_under_way_at_the_harvest_still_come(tmp_path):
    operation = started(tmp_path)
    operation.scan(12.5)
    operation.write("harvest", 1.0, by="operator")
    late = operation.scan(0.1).results
    assert {r.sample.time_h for r in late} == {12.0}
    assert operation.state == COMPLETE
    assert operation.time_h == 12.5


def test_the_next_batch_waits_for_its_pause_or_for_the_command(tmp_path):
    automatic, asked = started(tmp_path / "a"), started(tmp_path / "b", auto_start=False)
    assert automatic.state == RUNNING
    assert asked.state == IDLE
    asked.scan(100.0)
    assert asked.state == IDLE
    asked.write("batch.start", 1.0, by="gate")
    assert (asked.state, asked.batch_id) == (RUNNING, "BR-9-0001")
    with pytest.raises(WriteRefused, match="is running"):
        asked.write("batch.start", 1.0, by="gate")
    automatic.write("harvest", 1.0, by="gate")
    automatic.scan(0.1)
    automatic.scan(4.0)
    assert automatic.batch_id == "BR-9-0001"
    automatic.scan(1.5)
    assert automatic.batch_id == "BR-9-0002"


@pytest.mark.requirement("URS-PLT-006")
@pytest.mark.parametrize(
    ("tag", "value", "code"),
    [
        ("feed.rate", 41.0, "BadOutOfRange"),
        ("feed.rate", float("nan"), "BadOutOfRange"),
        ("harvest", 0.5, "BadOutOfRange"),
        ("no.such", 1.0, "BadOutOfRange"),
        ("batch.start", 2.0, "BadOutOfRange"),
    ],
)
def test_a_wrong_write_is_refused_and_leaves_no_trace(tmp_path, tag, value, code):
    operation = started(tmp_path)
    operation.scan(1.0)
    (path,) = (tmp_path / "journal").glob("*.jsonl")
    before = path.read_bytes()
    with pytest.raises(WriteRefused) as refusal:
        operation.write(tag, value, by="gate")
    assert refusal.value.code == code
    assert path.read_bytes() == before


@pytest.mark.requirement("URS-PLT-006")
def test_an_interlocked_or_idle_plant_takes_no_setpoint(tmp_path):
    operation = started(tmp_path, interlock_above={"volume": 2.0})
    operation.scan(1.0)
    operation.scan(1.0)
    with pytest.raises(WriteRefused, match=r"volume is above 2\.0"):
        operation.write("feed.rate", 1.0, by="gate")
    idle = started(tmp_path / "idle", auto_start=False)
    with pytest.raises(WriteRefused, match="no batch is running: idle"):
        idle.write("feed.rate", 1.0, by="gate")


def test_the_operator_acts_by_files_and_reads_why_an_act_is_refused(tmp_path):
    operation, desk = started(tmp_path), OperatorDesk(tmp_path / "operator")
    for name, text in (("feed.rate", "3.5\n"), ("temperature.setpoint", "99"), ("harvest", "x")):
        (tmp_path / "operator" / name).write_text(text)
    desk.obey(operation)
    operation.scan(0.1)
    assert operation.held["feed.rate"] == 3.5
    left = sorted(path.name for path in (tmp_path / "operator").iterdir())
    assert left == ["harvest.refused", "temperature.setpoint.refused"]
    refused = (tmp_path / "operator" / "temperature.setpoint.refused").read_text()
    assert "allowed is 30.0 to 38.0" in refused
    (tmp_path / "operator" / "interlock").write_text("door open")
    operation.scan(0.5, forced_interlock=desk.interlock())
    with pytest.raises(WriteRefused, match="door open"):
        operation.write("feed.rate", 1.0, by="gate")


@pytest.mark.requirement("URS-PLT-010")
def test_no_batch_may_play_a_seed_kept_for_calibration(tmp_path):
    path = tmp_path / "plant.yaml"
    text = "asset: B\nkind: simulated\nfolder: state\ncertificates: c\nfirst_seed: {}\n"
    path.write_text(text.format(LAST_SEED + 1))
    with pytest.raises(PlantConfigInvalid, match="kept for calibration"):
        load_config(path)
    path.write_text(text.format(LAST_SEED))
    operation = Operation(load_config(path))
    operation.scan(0.0)
    operation.write("harvest", 1.0, by="operator")
    operation.scan(1.0)
    operation.scan(HOUR)
    assert operation.batch_id == "B-0001"
    with pytest.raises(WriteRefused, match="used up"):
        operation.write("batch.start", 1.0, by="operator")


PROGRAM = ((10.0, {"feed.rate": 2.0}), (20.0, {"feed.rate": 3.0, "temperature.setpoint": 35.0}))


def test_the_local_recipe_acts_at_its_hours_however_time_is_cut(tmp_path):
    coarse = started(tmp_path / "a", program=PROGRAM)
    fine = started(tmp_path / "b", program=PROGRAM)
    one = facts([coarse.scan(25.0)])
    assert one == facts([fine.scan(0.25) for _ in range(100)])
    changes = [fact for fact in one[0] if fact[1] in ("feed.rate", "temperature.setpoint")]
    assert changes == [
        (10.0, "feed.rate", 2.0),
        (20.0, "feed.rate", 3.0),
        (20.0, "temperature.setpoint", 35.0),
    ]


@pytest.mark.requirement("URS-PLT-008")
def test_the_local_recipe_leaves_what_the_gate_leads_also_after_a_kill(tmp_path):
    operation = started(tmp_path, program=PROGRAM)
    operation.scan(12.0)
    operation.write("feed.rate", 5.0, by="writer:gate")
    operation.scan(1.0)
    del operation
    again = Operation(configured(tmp_path, program=PROGRAM))
    again.scan(12.0)
    assert again.held["feed.rate"] == 5.0
    assert again.held["temperature.setpoint"] == 35.0


def test_a_recorded_plant_plays_its_batches_in_turn(tmp_path):
    rows = ["batch_id,time_h,tag,value,unit,source,received_h"]
    rows += [f"{b},{t},viability,9{t},%,lab,{t}.5" for b in ("X", "Y") for t in (0, 1, 2)]
    (tmp_path / "samples.csv").write_text("\n".join(rows) + "\n")
    settings = {"package": tmp_path, "batches": ("X", "Y"), "speed": 3600.0, "pause_s": 1.0}
    config = PlantConfig("BR-8", "recorded", tmp_path / "s", tmp_path / "c", **settings)
    operation = Operation(config)
    operation.scan(0.0)
    assert [r.sample.value for r in operation.scan(5.0).results] == [90.0, 91.0, 92.0]
    assert operation.state == COMPLETE
    assert operation.setpoints == ()
    operation.scan(2.0)
    assert operation.batch_id == "BR-8-0002-Y"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- x", "must be a mapping"),
        ("asset: B\ncolour: red", "'colour' is not known"),
        ("asset: B", "folder"),
        ("asset: B\nkind: real\nfolder: f\ncertificates: c", "kind is 'real'"),
        ("asset: B\nkind: recorded\nfolder: f\ncertificates: c", "at least one batch"),
        ("asset: B\nkind: simulated\nfolder: f\ncertificates: c\nspeed: 0", "speed must be above"),
        ("asset: B\nkind: simulated\nfolder: f\ncertificates: c\nspeed: fast", "must be a number"),
        ("asset: B\nkind: simulated\nfolder: f\ncertificates: c\npause_s: -1", "not be negative"),
        (SIMULATED + "program: [[5, {feed.rate: 99}]]", "program at 5.0 h: set point 'feed.rate'"),
        (SIMULATED + "program: [[5, {}], [4, {}]]", "hours must rise"),
        (SIMULATED + "program: 7", "not iterable"),
        ("asset: [", "cannot be read"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_key(tmp_path, text, message):
    path = tmp_path / "plant.yaml"
    path.write_text(text)
    with pytest.raises(PlantConfigInvalid, match=message):
        load_config(path)


def test_the_shipped_plants_load_and_run_with_the_two_folders_given(tmp_path):
    for asset in ("BR-101", "BR-201"):
        config = load_config(
            PLANTS / f"{asset}.plant.yaml", folder=tmp_path / asset, certificates=tmp_path
        )
        operation = Operation(config)
        operation.scan(0.0)
        assert operation.scan(60.0).time_h == pytest.approx(10.0)
        assert operation.batch_id.startswith(f"{asset}-0001")
        with pytest.raises(PlantConfigInvalid, match="certificates is neither in the file"):
            load_config(PLANTS / f"{asset}.plant.yaml", folder=tmp_path)


@pytest.mark.parametrize(("feed", "state"), [(3.0, COMPLETE), (0.0, LOST)])
def test_a_batch_ends_complete_at_its_longest_and_lost_before(tmp_path, feed, state):
    operation = started(tmp_path, program=((72.0, {"feed.rate": feed}),))
    while operation.state == RUNNING:
        operation.scan(48.0)
    assert operation.state == state
    assert (operation.time_h == 336.0) == (state == COMPLETE)


def test_options_of_the_command_line_win_and_paths_are_relative_to_the_file(tmp_path):
    path = tmp_path / "plant.yaml"
    path.write_text("asset: B\nkind: simulated\nfolder: f\ncertificates: c\nspeed: 5\n")
    config = load_config(path, speed=7.0, port=None)
    assert (config.speed, config.port) == (7.0, 0)
    assert config.folder == tmp_path / "f"
