"""Batch packages: read whole, or refused with file, row and column."""

import shutil

import pytest

from tests.equipment.places import NISTCHO
from twin_core.science.packages import PackageError, folder_digest, read_package


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(NISTCHO, tmp_path / "package")


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.requirement("URS-MOD-004")
def test_a_package_is_read_with_samples_in_order_of_receipt():
    package = read_package(NISTCHO)
    assert len(package.batches) == 18
    for batch in package.batches:
        received = [sample.received_h for sample in batch.samples]
        assert received == sorted(received)


@pytest.mark.requirement("URS-MOD-004")
@pytest.mark.parametrize("name", ["batches.csv", "samples.csv", "events.csv", "README.md"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(PackageError, match=name):
        read_package(folder)


@pytest.mark.requirement("URS-MOD-004")
@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("samples.csv", "time_h", "hours", "samples.csv, row 1: column time_h"),
        ("batches.csv", "scale_L", "scale", "batches.csv, row 1: column scale_L"),
        ("samples.csv", "0.4413", "many", "samples.csv, row 2, column value: 'many'"),
        ("samples.csv", "0.4413", "nan", "row 2, column value"),
        ("samples.csv", "lab,2.0", "lab,-1.0", "row 2, column received_h: before"),
        ("samples.csv", "FB2_A_R1", "FB9", "row 2, column batch_id: 'FB9' is not in batches.csv"),
        ("samples.csv", "lab,2.0", "lab", "row 2: not 7 cells"),
        ("samples.csv", "1e6 cells/mL", "", "row 2, column unit: empty"),
        ("batches.csv", "FB2_A_R2", "FB2_A_R1", "row 3, column batch_id: 'FB2_A_R1' twice"),
        ("batches.csv", "0.25", "0", "row 2, column scale_L: must be above zero"),
        ("events.csv", "FB2_A_R1,0,", "FB2_A_R1,soon,", "events.csv, row 2, column time_h"),
    ],
)
def test_the_first_flaw_is_named_by_file_row_and_column(folder, name, old, new, message):
    replace(folder / name, old, new)
    with pytest.raises(PackageError, match=message):
        read_package(folder)


@pytest.mark.requirement("URS-MOD-004")
def test_bytes_that_are_not_utf_8_are_refused(folder):
    (folder / "events.csv").write_bytes(b"batch_id,time_h,event,tag,value,unit\n\xff\n")
    with pytest.raises(PackageError, match="not UTF-8"):
        read_package(folder)


@pytest.mark.requirement("URS-MOD-004")
@pytest.mark.parametrize("name", ["samples.csv", "README.md", "LICENSE"])
def test_the_digest_covers_every_file(folder, name):
    before = folder_digest(folder)
    with (folder / name).open("a", encoding="utf-8") as stream:
        stream.write(" ")
    assert folder_digest(folder) != before
    assert read_package(NISTCHO).digest == before
