"""Tag maps: wholly valid or refused with file, line and key."""

from hashlib import sha256
from pathlib import Path

import pytest

from twin_core.science.tag_map import TagMapInvalid, parse_tag_map
from twin_core.virtual_plant.bioreactor import CARD

FOLDER = Path(__file__).parents[3] / "twin_core/equipment/bioreactor/tag_maps"
TEXT = (FOLDER / "BR-201.tags.yaml").read_text()


def parse(text):
    return parse_tag_map(text.encode(), name="X.tags.yaml")


@pytest.mark.requirement("URS-CON-007")
@pytest.mark.requirement("URS-PLT-003")
def test_a_shipped_tag_map_is_valid_and_carries_the_digest_of_its_bytes():
    for path in sorted(FOLDER.glob("*.tags.yaml")):
        tag_map = parse_tag_map(path.read_bytes(), name=path.name)
        assert path.name == f"{tag_map.asset}.tags.yaml"
        assert tag_map.digest == sha256(path.read_bytes()).hexdigest()


def test_the_map_of_br_201_fits_the_card_of_its_plant():
    tag_map = parse(TEXT)
    card = {point.tag: point for point in CARD.setpoints}
    assert {tag: item.unit for tag, item in tag_map.tags.items()} == {
        sensor.tag: sensor.unit for sensor in CARD.sensors
    }
    for tag, point in tag_map.setpoints.items():
        assert point.unit == card[tag].unit
        assert card[tag].low <= point.limits[0] < point.limits[1] <= card[tag].high
        assert tag_map.tags[point.measured]
    writable = {tag for tag, point in tag_map.setpoints.items() if point.writable}
    assert writable == {"feed.rate", "temperature.setpoint"}


@pytest.mark.requirement("URS-CON-007")
@pytest.mark.requirement("URS-PLT-009")
def test_the_map_of_the_recorded_culture_has_nothing_to_write_to():
    tag_map = parse_tag_map((FOLDER / "BR-101.tags.yaml").read_bytes(), name="BR-101")
    assert not tag_map.setpoints
    assert tag_map.nodes.heartbeat == ""
    assert tag_map.origin == "recorded"


WRONG = [
    ("format: 1", "format: 2", "line 3, format: is not 1"),
    ("asset: BR-201\n", "", "line 3, asset: is missing"),
    ("asset: BR-201", "asset: BR-201\nnickname: x", "line 5, nickname: is not known"),
    ("origin: simulated", "origin: guessed", "line 5, origin: is 'guessed'; allowed: simulated"),
    ("unit: pH", "unit: ph", r"line 31, tags\.ph\.unit: is 'ph'; allowed: .*pH"),
    ("limits: [10, 50]", "limits: [50, 10]", r"tags\.temperature\.limits: low 50\.0 must be below"),
    ("limits: [10, 50]", "limits: [10]", r"tags\.temperature\.limits: must be \[low, high\]"),
    ("limits: [10, 50]", "limits: [.nan, 50]", r"tags\.temperature\.limits: must be a"),
    ("scale: 1\n", "scale: 0\n", "scale: must be above zero"),
    ("scale: 1\n", "scale: one\n", "scale: must be a number, not 'one'"),
    ("source: lab", "source: gossip", "source: is 'gossip'"),
    ("writable: true", "writable: perhaps", r"setpoints\.feed\.rate\.writable: is 'perhaps'"),
    ("measured: feed.flow", "measured: feed.guess", "'feed.guess' is not a tag"),
    ("online/ph", "online/temperature", r"belongs to tags\.temperature already"),
    ("max_step: 4", "max_step: -4", "max_step: must be above zero"),
    ("  ph:\n", "  temperature:\n", r"tags\.temperature: is given twice"),
    ("tags:\n", "tags: [\n", "is not YAML"),
]


@pytest.mark.requirement("URS-CON-007")
@pytest.mark.requirement("URS-PLT-003")
@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_a_wrong_tag_map_is_refused_with_file_line_and_key(old, new, message):
    assert old in TEXT
    with pytest.raises(TagMapInvalid, match=rf"X\.tags\.yaml.*{message}"):
        parse(TEXT.replace(old, new, 1))


@pytest.mark.parametrize("data", [b"", b"# nothing\n", b"[]", b"\xff\xfe", b"just text"])
def test_a_file_that_is_no_tag_map_is_refused(data):
    with pytest.raises(TagMapInvalid, match=r"X:|X, line 1"):
        parse_tag_map(data, name="X")


def test_one_changed_byte_changes_the_digest():
    assert parse(TEXT).digest != parse(TEXT + "\n").digest
