"""Bundles made to harm whoever checks them. Each maker writes one to a path that does not exist."""

import hashlib
import os
import random
import shutil
import socket
import stat
import struct
import zipfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from audit import canonical
from tests.audit.bundles import tampering
from tests.audit.made_ledger import MadeLedger

MIB = 1 << 20
Maker = Callable[[Path, random.Random], None]


def _honest(path: Path) -> Path:
    return MadeLedger().write(path, verifier=None)


def _put(folder: Path, name: str, content: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def _raw_manifest(folder: Path, raw: bytes) -> None:
    """A manifest of any bytes, with the digest that fits."""
    (folder / "manifest.json").write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    (folder / "manifest.sha256").write_text(f"{digest}  manifest.json\n")


def a_link_to_a_file(path: Path, chance: random.Random) -> None:
    name = chance.choice(["README.txt", "records.jsonl", "keys.txt", "manifest.json"])
    folder = _honest(path)
    (folder / name).unlink()
    (folder / name).symlink_to(chance.choice(["/etc/passwd", "/dev/zero", "/dev/stdin", name]))


def a_link_to_a_folder(path: Path, chance: random.Random) -> None:
    folder = _honest(path)
    shutil.rmtree(folder / "blobs")
    (folder / "blobs").symlink_to(chance.choice(["/", "/proc/self", "..", "."]))


def a_pipe(path: Path, chance: random.Random) -> None:
    """Reading it would wait for ever."""
    folder = _honest(path)
    name = chance.choice(["README.txt", "records.jsonl", "manifest.sha256"])
    (folder / name).unlink()
    os.mkfifo(folder / name)


def a_socket(path: Path, chance: random.Random) -> None:
    folder, home = _honest(path), Path.cwd()
    (folder / "fields.md").unlink()
    os.chdir(folder)  # the address may have 107 characters only
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("fields.md")
    os.chdir(home)


def a_huge_line(path: Path, chance: random.Random) -> None:
    folder = _honest(path)
    name = chance.choice(["records", "index", "blocks", "checkpoints"])
    with (folder / f"{name}.jsonl").open("ab") as file:
        file.write(b'{"actor":"' + bytes([chance.randrange(97, 123)]) * (40 * MIB))
    tampering.remanifest(folder)


def a_huge_manifest(path: Path, chance: random.Random) -> None:
    raw = (_honest(path) / "manifest.json").read_bytes()
    _raw_manifest(path, raw[:-1] + b" " * (200 * MIB) + b"}")


def a_deep_manifest(path: Path, chance: random.Random) -> None:
    depth = chance.randrange(65, 2_000_000)
    raw = (_honest(path) / "manifest.json").read_bytes()
    _raw_manifest(path, raw.replace(b'"filters":{}', b'"filters":' + b'{"a":' * depth))


def a_wide_manifest(path: Path, chance: random.Random) -> None:
    """Many small things: some thirty bytes of memory for each byte."""
    raw = (_honest(path) / "manifest.json").read_bytes()
    wide = b",".join([chance.choice([b"{}", b"[]", b"10", b'"ab"'])] * 6_000_000)
    _raw_manifest(path, raw.replace(b'"filters":{}', b'"filters":{"a":[' + wide + b"]}"))


def a_deep_record(path: Path, chance: random.Random) -> None:
    folder, depth = _honest(path), chance.randrange(65, 16_000)
    nested = b'"data":' + b"[" * depth + b"]" * depth
    tampering.edit_lines(
        folder, "records.jsonl", lambda x: x.__setitem__(0, x[0].replace(b'"data":null', nested))
    )


def a_huge_number(path: Path, chance: random.Random) -> None:
    folder, digits = _honest(path), b"9" * chance.randrange(17, 900_000)
    name, member = chance.choice([("records", b'"v":1'), ("index", b'"sequence":0')])
    tampering.edit_lines(
        folder,
        f"{name}.jsonl",
        lambda x: x.__setitem__(0, x[0].replace(member, member[:-1] + digits)),
    )


def a_huge_count(path: Path, chance: random.Random) -> None:
    folder, count = _honest(path), chance.choice([2**53 - 10, 2**40, 10**15])
    tampering.edit_json(folder, "blocks.jsonl", 3, count=count, tree_size=9 + count)


def many_files(path: Path, chance: random.Random) -> None:
    folder = _honest(path)
    (folder / "copies").mkdir()
    for number in range(chance.randrange(300, 900)):
        (folder / "copies" / f"{number:x}").touch()


def many_folders(path: Path, chance: random.Random) -> None:
    deep = _honest(path) / "copies"
    for _ in range(chance.randrange(60, 200)):
        deep /= "aaaaaaaaaa"
    deep.mkdir(parents=True)


def a_name_that_leaves_the_folder(path: Path, chance: random.Random) -> None:
    folder = _honest(path)
    names = ["../../etc/passwd", "/etc/passwd", "blobs/../../x", "C:\\x", "copies/..", "a\x00b"]
    manifest = canonical.decode((folder / "manifest.json").read_bytes())
    manifest["files"][chance.choice(names)] = "0" * 64
    tampering.put_manifest(folder, manifest)


def a_name_that_steers_terminals(path: Path, chance: random.Random) -> None:
    _put(_honest(path), "\x1b]0;owned\x07\x1b[2J‮.txt", b"x")


def a_file_of_holes(path: Path, chance: random.Random) -> None:
    folder = _honest(path)
    _put(folder, "copies/holes", b"")
    tampering.remanifest(folder)
    os.truncate(folder / "copies/holes", 1 << 40)


def many_signatures(path: Path, chance: random.Random) -> None:
    """Each one would take a while to verify."""
    folder = _honest(path)
    line = MadeLedger().notes[1].split("\n")[-2] + "\n"
    notes = [note + line * 2000 for note in MadeLedger().notes]
    tampering.put_lines(folder, "checkpoints.jsonl", [canonical.encode(note) for note in notes])


def many_keys(path: Path, chance: random.Random) -> None:
    folder = _honest(path)
    (folder / "keys.txt").write_bytes((folder / "keys.txt").read_bytes() * 20_000)
    tampering.remanifest(folder)


def a_long_proof(path: Path, chance: random.Random) -> None:
    folder = MadeLedger().write(path, (2, 4, 9), verifier=None)
    tampering.edit_json(folder, "proofs.jsonl", 0, hashes=["0" * 64] * 15_000)


def slow_texts(path: Path, chance: random.Random) -> None:
    """High characters and quotes: a trap for patterns that look back."""
    folder, text = _honest(path), '\U0001f9ea\\":' * 4000
    tampering.edit_lines(
        folder,
        "records.jsonl",
        lambda x: x.extend([x[1].replace(b"Connector", text.encode())] * 200),
    )


def _zipped(path: Path, edit: Callable[[zipfile.ZipFile], object], honest: bool = True) -> None:
    folder = _honest(path.with_name(f"{path.name}.folder"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in sorted(folder.rglob("*")) if honest else ():
            if each.is_file():
                archive.write(each, each.relative_to(folder))
        edit(archive)
    shutil.rmtree(folder)


def a_zip_that_leaves_the_folder(path: Path, chance: random.Random) -> None:
    names = ["../../evil.txt", "/tmp/evil.txt", "blobs/../../evil", "..\\evil", "copies/../../x"]
    _zipped(path, lambda archive: archive.writestr(chance.choice(names), b"x"))


def a_zip_bomb(path: Path, chance: random.Random) -> None:
    def edit(archive: zipfile.ZipFile) -> None:
        with archive.open("copies/zeros", "w", force_zip64=True) as file:
            for _ in range(256):
                file.write(bytes(MIB))

    _zipped(path, edit)


def a_zip_with_a_link(path: Path, chance: random.Random) -> None:
    info = zipfile.ZipInfo("copies/link")
    info.external_attr = (chance.choice([stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO]) | 0o777) << 16
    _zipped(path, lambda archive: archive.writestr(info, "/etc/passwd"))


def a_zip_with_a_name_twice(path: Path, chance: random.Random) -> None:
    _zipped(path, lambda archive: archive.writestr("README.txt", b"another"))


def a_zip_whose_files_overlap(path: Path, chance: random.Random) -> None:
    """Each entry of the list points at the same bytes."""
    _zipped(path, lambda archive: None)
    raw = bytearray(path.read_bytes())
    size, start = struct.unpack("<II", raw[-10:-2])
    at = start
    while at < start + size:
        raw[at + 42 : at + 46] = bytes(4)
        at += 46 + sum(struct.unpack("<HHH", raw[at + 28 : at + 34]))
    path.write_bytes(raw)


def a_zip_with_a_flipped_byte(path: Path, chance: random.Random) -> None:
    """In the content of a file: a zip's times and the like are no part of the bundle."""
    _zipped(path, lambda archive: None)
    with zipfile.ZipFile(path) as archive:
        file = chance.choice(archive.infolist())
    start = file.header_offset + 30 + len(file.filename)
    raw = bytearray(path.read_bytes())
    raw[start + chance.randrange(file.compress_size - 1)] ^= 1 << chance.randrange(8)
    path.write_bytes(raw)


def a_zip_that_lists_much(path: Path, chance: random.Random) -> None:
    def edit(archive: zipfile.ZipFile) -> None:
        for number in range(70_000):
            info = zipfile.ZipInfo(f"{number:0240}")
            archive.writestr(info, b"")

    if chance.random() < 0.05:
        _zipped(path, edit, honest=False)
    else:
        path.write_bytes(b"PK\5\6" + chance.randbytes(16) + b"\0\0")


def noise(path: Path, chance: random.Random) -> None:
    folder = _honest(path)
    names = ["manifest.json", "records.jsonl", "index.jsonl", "blocks.jsonl", "checkpoints.jsonl"]
    _put(folder, chance.choice(names), b64encode(chance.randbytes(chance.randrange(200_000))))
    if chance.random() < 0.5:
        (folder / "manifest.json").unlink()


MAKERS: list[Maker] = [
    a_link_to_a_file,
    a_link_to_a_folder,
    a_pipe,
    a_socket,
    a_huge_line,
    a_huge_manifest,
    a_deep_manifest,
    a_wide_manifest,
    a_deep_record,
    a_huge_number,
    a_huge_count,
    many_files,
    many_folders,
    a_name_that_leaves_the_folder,
    a_name_that_steers_terminals,
    a_file_of_holes,
    many_signatures,
    many_keys,
    a_long_proof,
    slow_texts,
    a_zip_that_leaves_the_folder,
    a_zip_bomb,
    a_zip_with_a_link,
    a_zip_with_a_name_twice,
    a_zip_whose_files_overlap,
    a_zip_with_a_flipped_byte,
    a_zip_that_lists_much,
    noise,
]
