"""One file of a bundle: a ZIP whose manifest and directory come last; the same bytes each time."""

import os
import zipfile
from pathlib import Path
from shutil import copyfileobj

from audit import bundles
from audit.exports.journal import STEP, digest_of

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a ZIP can tell: no clock is in the file
STORED = {".parquet", ".pdf", ".tsr"}  # compressed already, or not worth it
LEVEL = 1  # a quick one: records shrink to a sixth with any
LAST = (bundles.MANIFEST, bundles.MANIFEST_DIGEST)


def pack(bundle: Path, target: Path, *, top: str) -> str:
    """Pack a bundle under the folder name ``top``; return the SHA-256 (hex) of the file.

    ``target`` appears when it is whole and on disk, not before.
    """
    part = target.with_name(f".{target.name}.part")
    with part.open("wb") as file:
        with zipfile.ZipFile(file, "w") as archive:
            for path in _in_order(bundle):
                _add(archive, path, f"{top}/{path.relative_to(bundle).as_posix()}")
        file.flush()
        os.fsync(file.fileno())
    digest = digest_of(part)
    part.replace(target)
    bundles.sync_folder(target.parent)
    return digest


def _in_order(bundle: Path) -> list[Path]:
    files = [path for path in bundle.rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: (path.parent == bundle and path.name in LAST, path))


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.external_attr = 0o644 << 16
    entry.file_size = path.stat().st_size
    entry.compress_type = zipfile.ZIP_STORED if path.suffix in STORED else zipfile.ZIP_DEFLATED
    setattr(entry, "_compresslevel", LEVEL)  # noqa: B010  its public name is newer than 3.12
    with path.open("rb") as source, archive.open(entry, "w") as into:
        copyfileobj(source, into, STEP)
