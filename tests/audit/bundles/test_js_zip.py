"""A bundle in one .zip file: taken in by the browser's decompression or by the page's own."""

import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audit.bundles import js_verifier
from tests.audit.bundles.js_verifier import VECTORS, WITHOUT_CRYPTO

pytestmark = pytest.mark.browser
EARLIER_STREAM = "DecompressionStream = class { constructor() { throw new TypeError('kind'); } };"


@pytest.fixture(scope="module")
def open_page() -> Iterator[Callable[..., Any]]:
    with js_verifier.opened_browser() as opener:
        yield opener


def verdict(page: Any) -> str:
    page.wait_for_selector("#outcome:not([hidden]) #verdict")
    return page.text_content("#verdict")


def zipped(folder: Path, place: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(place, "w", method) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
    return place


@pytest.mark.requirement("URS-AUD-089")
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    "before", ["", WITHOUT_CRYPTO, EARLIER_STREAM], ids=["as it is", "bare", "earlier stream"]
)
def test_a_zip_file_is_a_bundle_too(open_page, tmp_path, method, before):
    page = open_page(before)
    page.set_input_files("#zip", zipped(VECTORS / "selection", tmp_path / "b.zip", method))
    assert verdict(page) == "Consistent, origin not proved"
    assert page.locator("[data-sequence]").count() == 3


def with_64_bit_directory(raw: bytes) -> bytes:
    """Return a .zip file whose directory is found by the 64-bit records alone."""
    at = raw.rindex(b"PK\x05\x06")
    count, size, offset = struct.unpack("<HII", raw[at + 10 : at + 20])
    wide = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    return raw[:at] + wide + locator + end


def test_a_zip_file_with_a_64_bit_directory_is_read(open_page, tmp_path):
    place = zipped(VECTORS / "selection", tmp_path / "b.zip")
    place.write_bytes(with_64_bit_directory(place.read_bytes()))
    page = open_page()
    page.set_input_files("#zip", place)
    assert verdict(page) == "Consistent, origin not proved"


@pytest.mark.requirement("URS-AUD-088")
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda raw: raw[: len(raw) // 2], "is no .zip file"),
        (lambda raw: b"hello", "is no .zip file"),
        (lambda raw: raw.replace(b"PK\x01\x02", b"PK\x01\x03"), "is a damaged .zip file"),
        (lambda raw: raw.replace(b"PK\x03\x04", b"PK\x03\x05", 2), "is damaged"),
        (lambda raw: raw.replace(b"/manifest.json", b"/manifest.jsoN"), "this is no bundle"),
    ],
)
def test_a_zip_file_that_cannot_be_read_is_not_judged(open_page, tmp_path, damage, says):
    place = zipped(VECTORS / "complete", tmp_path / "b.zip", zipfile.ZIP_DEFLATED)
    place.write_bytes(damage(place.read_bytes()))
    page = open_page()
    page.set_input_files("#zip", place)
    assert verdict(page) == "Not checked"
    assert says in page.text_content("[data-verdict=failed]")


def test_two_bundles_at_once_are_refused(open_page, tmp_path):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for name in ("a", "b"):
            archive.writestr(f"{name}/manifest.json", "{}")
    page = open_page()
    page.set_input_files("#zip", tmp_path / "two.zip")
    assert verdict(page) == "Not checked"
    assert "check one at a time" in page.text_content("[data-verdict=failed]")
