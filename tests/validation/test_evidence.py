"""What is installed is compared with what was locked, file by file."""

import hashlib
from base64 import urlsafe_b64encode
from importlib import metadata

import pytest

from validation import evidence

LOCK = """# compiled
some-package==1.2 ; python_full_version >= '3' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via nothing
Other_Package==3.0 \\
    --hash=sha256:cc
elsewhere==1.0 ; python_full_version < '3' \\
    --hash=sha256:dd
"""


def install(folder, *, content=b"print()\n", version="1.2"):
    digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    info = folder / "some_package-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: some-package\nVersion: {version}\n"
    )
    (info / "RECORD").write_text(f"some_package.py,sha256={digest},8\nsome_package.pyc,,\n")
    (folder / "some_package.py").write_bytes(content)


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.requirement("URS-VAL-005")
def test_a_lock_is_read_with_the_lines_that_apply_here():
    assert evidence.locked_packages(LOCK) == {"some-package": "1.2", "other-package": "3.0"}


@pytest.mark.requirement("URS-VAL-005")
def test_a_lock_line_without_one_version_is_refused():
    with pytest.raises(evidence.LockInvalid, match="not pinned"):
        evidence.locked_packages("some-package>=1.2\n")


@pytest.mark.requirement("URS-VAL-005")
def test_an_untouched_package_has_no_flaw(site):
    install(site)
    state = evidence.package_state("some-package", "1.2")
    assert (state.flaws, state.files_checked) == ((), 1)


@pytest.mark.requirement("URS-VAL-005")
def test_a_changed_file_is_named(site):
    install(site)
    (site / "some_package.py").write_bytes(b"print(1)\n")
    flaws = evidence.package_state("some-package", "1.2").flaws
    assert flaws == ("some_package.py: changed since it was installed",)


@pytest.mark.requirement("URS-VAL-005")
def test_a_removed_file_is_named(site):
    install(site)
    (site / "some_package.py").unlink()
    assert "cannot be read" in evidence.package_state("some-package", "1.2").flaws[0]


@pytest.mark.requirement("URS-VAL-005")
def test_another_version_than_the_locked_one_is_told(site):
    install(site, version="1.3")
    assert evidence.package_state("some-package", "1.2").flaws == ("version 1.3 instead of 1.2",)


@pytest.mark.requirement("URS-VAL-005")
def test_a_package_that_is_not_there_is_told():
    assert evidence.package_state("no-such-package-here", "1").flaws == ("not installed",)


@pytest.mark.requirement("URS-VAL-005")
def test_a_package_without_a_record_is_told(site):
    install(site)
    (site / "some_package-1.2.dist-info" / "RECORD").unlink()
    assert metadata.distribution("some-package").version == "1.2"
    assert "no RECORD" in evidence.package_state("some-package", "1.2").flaws[0]


@pytest.mark.requirement("URS-VAL-005")
def test_the_fingerprint_follows_the_records(site):
    install(site)
    before = evidence.fingerprint([evidence.package_state("some-package", "1.2")])
    record = site / "some_package-1.2.dist-info" / "RECORD"
    record.write_text(record.read_text() + "another.py,,\n")
    assert evidence.fingerprint([evidence.package_state("some-package", "1.2")]) != before


@pytest.mark.requirement("URS-VAL-005")
def test_the_machine_is_described_with_the_build_that_runs():
    told = evidence.machine()
    assert told["software"].endswith("+" + told["build_digest"][:12])
    assert all(isinstance(value, str) and value for value in told.values())
