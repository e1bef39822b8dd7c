"""Store and fetch by SHA-256, never by name alone; data only.

An artefact is one canonical JSON object: nothing that is read here can execute anything, and a
content in another form is refused before its meaning is looked at. The digest is checked at each
fetch. Frozen artefacts that ship with the product are read through a list of their digests.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.exceptions import ObjectDoesNotExist

from audit.api import NotCanonical, decode, encode, get_blob, put_blob
from models_registry.lifecycle import DataSet

MEDIA_TYPE = "application/json"
LIST = "DIGESTS"  # "<sha256 hex>  <file name>" a line, as sha256sum writes it
LARGEST = 32 * 1024 * 1024  # bytes of one artefact


class ArtefactRefused(Exception):
    """Content that is missing, damaged or in another form than data."""


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the digest under which ``put`` would keep this content."""
    return hashlib.sha256(_encoded(content)).hexdigest()


def put(content: Mapping[str, Any]) -> str:
    """Keep an artefact and return its digest (hex)."""
    return put_blob(_encoded(content), MEDIA_TYPE)


def fetch(digest: str) -> dict[str, Any]:
    """Return the artefact of a digest; raises ArtefactRefused unless it is what was kept."""
    try:
        content = get_blob(digest)
    except ObjectDoesNotExist:
        raise ArtefactRefused(f"artefact {digest} is not in the store") from None
    except ValueError as error:
        raise ArtefactRefused(str(error)) from error
    return _decoded(content, f"artefact {digest}")


def data_set_digest(data: DataSet) -> str:
    """Return the digest of a data set's description, as rows and scores cite it."""
    return digest_of(_described(data))


def put_data_set(data: DataSet) -> str:
    """Keep the description of a training or test set and return its digest."""
    return put(_described(data))


def _described(data: DataSet) -> dict[str, Any]:
    return {"package": data.package, "batches": dict(data.batches)}


def fetch_data_set(digest: str) -> DataSet | None:
    """Return a described data set; None for the empty digest."""
    if not digest:
        return None
    told = fetch(digest)
    return DataSet(package=told["package"], batches=told["batches"])


def frozen(folder: Path) -> dict[str, str]:
    """Return file name -> digest of the frozen artefacts that a folder lists."""
    listed = folder / LIST
    if not listed.is_file():
        raise ArtefactRefused(f"{listed} is missing: it names each frozen artefact's digest")
    pairs = [line.split(maxsplit=1) for line in listed.read_text().splitlines() if line.strip()]
    if any(len(pair) != 2 or len(pair[0]) != 64 for pair in pairs):
        raise ArtefactRefused(f"{listed}: each line must be a SHA-256 (hex) and a file name")
    return {name.strip(): digest for digest, name in pairs}


def read_frozen(folder: Path, name: str) -> dict[str, Any]:
    """Return a frozen artefact by its listed digest; refuses unlisted and changed files."""
    listed = frozen(folder)
    if name not in listed:
        raise ArtefactRefused(f"{name} is not listed in {folder / LIST}")
    path = folder / name
    if not path.is_file():
        raise ArtefactRefused(f"{path} is listed but missing")
    content = path.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != listed[name]:
        raise ArtefactRefused(f"{path} is {found}, the list says {listed[name]}")
    return _decoded(content, str(path))


def write_frozen(folder: Path, name: str, content: Mapping[str, Any]) -> str:
    """Write an artefact to a folder and its digest to the folder's list; return the digest."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = frozen(folder) if (folder / LIST).exists() else {}
    data = _encoded(content)
    (folder / name).write_bytes(data)
    listed[name] = hashlib.sha256(data).hexdigest()
    lines = [f"{digest}  {file}\n" for file, digest in sorted(listed.items())]
    (folder / LIST).write_text("".join(lines))
    return listed[name]


def _encoded(content: Mapping[str, Any]) -> bytes:
    data = encode(dict(content))
    if len(data) > LARGEST:
        raise ArtefactRefused(f"{len(data)} bytes: an artefact has at most {LARGEST}")
    return data


def _decoded(content: bytes, what: str) -> dict[str, Any]:
    try:
        value = decode(content)
    except NotCanonical as error:
        raise ArtefactRefused(f"{what} is not canonical JSON: {error}") from error
    if not isinstance(value, dict):
        raise ArtefactRefused(f"{what} must be a JSON object")
    return value
