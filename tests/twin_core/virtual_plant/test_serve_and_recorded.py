"""The plant as lines of JSON, and a recorded batch as a plant."""

import json
import subprocess
import sys

import pytest

from twin_core.virtual_plant.bioreactor import Bioreactor
from twin_core.virtual_plant.recorded import PackageUnreadable, RecordedBatch
from twin_core.virtual_plant.serve import answer, load_plant

NAME = "twin_core.virtual_plant.bioreactor:Bioreactor"
HEADER = "batch_id,time_h,tag,value,unit,source,received_h\n"


def ask(plant, **request):
    return answer(plant, json.dumps(request))


def write(folder, *rows, header=HEADER):
    (folder / "samples.csv").write_text(header + "".join(f"{row}\n" for row in rows))
    return folder


@pytest.mark.requirement("URS-PLT-001")
def test_a_served_plant_gives_the_same_samples_as_the_plant_itself():
    requests = [
        {"op": "card"},
        {"op": "reset", "seed": 4, "recipe": {}},
        {"op": "advance", "setpoints": {"feed.rate": 3.0}, "hours": 9.0},
        {"op": "advance", "setpoints": {"harvest": 1.0}, "hours": 1.0},
        {"op": "outcome"},
    ]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    command = [sys.executable, "-m", "twin_core.virtual_plant.serve", NAME]
    run = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    card, reset, advance, _, outcome = map(json.loads, run.stdout.splitlines())
    plant = Bioreactor()
    plant.reset(4, {})
    expected = plant.advance({"feed.rate": 3.0}, 9.0)
    plant.advance({"harvest": 1.0}, 1.0)
    assert [(s["tag"], s["value"]) for s in advance["ok"]] == [(s.tag, s.value) for s in expected]
    assert (reset["time_h"], advance["time_h"], outcome["done"]) == (0.0, 9.0, True)
    assert outcome["ok"] == plant.outcome()
    assert card["ok"]["specs"][0]["high"] is None  # infinity cannot be said in JSON


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("{", "not a request"),
        ("[]", "not a request"),
        ('{"op": "explode"}', "op is one of card, reset, advance, outcome"),
        ('{"op": "advance", "hours": 0}', "hours must be"),
        ('{"op": "advance", "hours": 1, "setpoints": {"x": 1}}', "'x' is not known"),
        ('{"op": "advance", "hours": 1, "setpoints": {"feed.rate": null}}', "needs a number"),
        ('{"op": "outcome"}', "not over"),
    ],
)
def test_a_bad_request_is_answered_with_what_is_wrong(line, text):
    plant = Bioreactor()
    assert text in answer(plant, line)["error"]
    assert plant.time_h == 0.0
    assert ask(plant, op="advance", hours=1.0)["time_h"] == 1.0


def test_a_served_value_that_is_missing_is_null():
    plant = Bioreactor()
    ask(plant, op="reset", seed=1, recipe={"mismatch": 2})
    samples = ask(plant, op="advance", hours=336.0, setpoints={"feed.rate": 4.0})["ok"]
    bad = [sample for sample in samples if sample["quality"] == "bad"]
    assert bad
    assert all(sample["value"] is None for sample in bad)


@pytest.mark.parametrize("name", ["nothing", "no.such:Plant", "twin_core.virtual_plant.serve:Nope"])
def test_a_plant_that_cannot_be_loaded_is_named(name):
    with pytest.raises(ValueError, match=name.partition(":")[0]):
        load_plant(name)


@pytest.mark.requirement("URS-PLT-009")
def test_recorded_counts_arrive_when_the_laboratory_reported_them(tmp_path):
    write(
        tmp_path,
        "B,0.0,viability,97.0,%,lab,2.0",
        "B,24.0,viability,,%,lab,30.0",
        "B,24.0,viable_cell_density,3.5,1e6 cells/mL,lab,26.5",
        "OTHER,1.0,viability,1.0,%,lab,1.0",
    )
    plant = RecordedBatch(tmp_path, "B")
    assert plant.advance({}, 1.0) == []
    assert [s.value for s in plant.advance({}, 1.0)] == [97.0]
    (count,) = plant.advance({}, 25.0)
    assert (count.tag, count.time_h, count.received_h) == ("viable_cell_density", 24.0, 26.5)
    (missing,) = plant.advance({}, 50.0)
    assert missing.quality == "bad"
    assert plant.done
    assert plant.time_h == 30.0


@pytest.mark.requirement("URS-PLT-009")
def test_a_recording_answers_to_no_setpoint_but_its_end(tmp_path):
    plant = RecordedBatch(write(tmp_path, "B,0.0,viability,97.0,%,lab,2.0"), "B")
    assert [point.tag for point in plant.CARD.setpoints] == ["harvest"]
    with pytest.raises(ValueError, match=r"'feed\.rate' is not known"):
        plant.advance({"feed.rate": 1.0}, 1.0)
    with pytest.raises(ValueError, match="no recipe"):
        plant.reset(0, {"mismatch": 1.0})


def test_a_package_without_receipt_times_uses_the_stated_delay(tmp_path):
    header = "batch_id,time_h,tag,value,unit,source\n"
    rows = ("B,0.0,viability,97.0,%,lab", "B,0.0,ph,7.0,pH,online")
    plant = RecordedBatch(write(tmp_path, *rows, header=header), "B", delay_h=2.5)
    assert [s.tag for s in plant.advance({}, 1.0)] == ["ph"]
    assert [s.received_h for s in plant.advance({}, 2.0)] == [2.5]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("B,x,ph,7,pH,online,1", "row 2, column time_h: 'x' is not a number"),
        ("B,1,ph,inf,pH,online,1", "row 2, column value: 'inf' is not a finite number"),
        ("B,1,ph,7,pH,rumour,1", "row 2, column source: 'rumour' is not known"),
        ("B,2,ph,7,pH,online,1", "row 2: received at 1.0 h, taken at 2.0 h"),
        ("OTHER,1,ph,7,pH,online,1", "no sample of batch 'B'"),
    ],
)
def test_a_wrong_row_of_a_package_is_named(tmp_path, row, text):
    with pytest.raises(PackageUnreadable, match=text):
        RecordedBatch(write(tmp_path, row), "B")


def test_a_missing_file_or_column_of_a_package_is_named(tmp_path):
    with pytest.raises(PackageUnreadable, match="file is missing"):
        RecordedBatch(tmp_path, "B")
    with pytest.raises(PackageUnreadable, match="column 'tag' is missing"):
        RecordedBatch(write(tmp_path, header="batch_id,time_h,value,unit,source\n"), "B")
