"""The verifier on bundles made to harm, and on zips."""

import json
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from audit import verifier
from tests.audit.bundles import guarded, hostile
from tests.audit.bundles.tampering import edit_lines


def watched(*bundles: Path) -> dict:
    """What the guard saw while one process verified all of them."""
    command = [sys.executable, "-I", "-B", guarded.__file__, verifier.__file__, *map(str, bundles)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


@pytest.mark.requirement("URS-AUD-083")
@pytest.mark.parametrize("make", hostile.MAKERS, ids=lambda make: make.__name__)
def test_a_hostile_bundle_is_refused_within_the_limits(make, tmp_path):
    make(tmp_path / "bundle", random.Random(7))
    seen = watched(tmp_path / "bundle")
    [result] = seen["results"]
    assert not result["ok"], result["said"]
    assert result["said"].startswith("FLAW ")
    assert result["said"].isascii()
    assert result["said"].isprintable()
    assert (seen["written"], seen["network"], seen["other"]) == ([], [], [])
    assert seen["peak_MiB"] <= 512


@pytest.mark.requirement("URS-AUD-083")
def test_the_guard_sees_what_it_is_to_see(tmp_path):
    watch = guarded.Watch()
    watch("open", ("x", "w", 0))
    watch("open", ("y", None, 0x241))
    watch("open", ("z", "rb", 0))
    watch("socket.connect", ())
    watch("os.mkdir", ())
    assert (watch.written, watch.network, watch.other) == (
        ["x", "y"],
        ["socket.connect"],
        ["os.mkdir"],
    )


@pytest.mark.parametrize("top", ["", "export-2026/"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_of_a_bundle_is_read_in_place(complete, tmp_path, top, method):
    def zipped() -> Path:
        path = tmp_path / "bundle.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for each in sorted(complete.rglob("*")):
                archive.write(each, top + each.relative_to(complete).as_posix())
        return path

    assert verifier.verify(zipped()) == verifier.verify(complete)
    assert verifier.verify(zipped(), is_quick=True).ok
    edit_lines(complete, "records.jsonl", lambda lines: lines.pop(5))
    assert verifier.verify(zipped()).text == verifier.verify(complete).text


def test_a_zip_made_by_another_tool_is_read(complete, tmp_path):
    made = shutil.make_archive(str(tmp_path / "b"), "zip", tmp_path, complete.name)
    assert verifier.verify(made).ok


def test_what_is_neither_folder_nor_zip_is_refused(tmp_path):
    (tmp_path / "b").write_text("no bundle")
    assert "is no plain zip" in verifier.verify(tmp_path / "b").text
