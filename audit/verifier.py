#!/usr/bin/env python3
"""Check an exported bundle of the record store, on any machine with Python 3.9 or later.

    python verifier.py DIR [--trust FILE] [--json]

Exit status 0: every check passed. 1: a flaw, named with its place. 2: called wrongly.
FILE holds what you trust from elsewhere: public keys (name+id+base64), one a line, or earlier
checkpoints, as a note or as JSON strings, one a line. Standard library only. The format and the
list of checks: docs/design/records.md of the product. Files are streamed, line by line.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

MAX_INTEGER, MAX_PAYLOAD, MAX_LINE = 2**53 - 1, 32_768, 1 << 20
FORK_KIND = "audit.ledger.forked"


class Flaw(Exception):
    """The first thing that is wrong; its arguments are the place and what is wrong there."""


class Result(NamedTuple):
    ok: bool
    text: str  # what is printed; the last line is the verdict
    facts: dict[str, Any]  # what was checked, or place and what of the flaw


def require(condition: Any, place: str, what: str) -> None:
    if not condition:
        raise Flaw(place, what)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- canonical text (RFC 8785 without floating point) and the shapes of its objects ---
def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:  # int refuses fractions and NaN
        raise ValueError("an integer beyond 2^53 - 1")
    return int(text)


_parse = json.JSONDecoder(parse_float=_integer, parse_constant=_integer, parse_int=_integer).decode
_write = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
# A character from U+D800 on, then the rest of its string, then a colon: it is in a member name.
_HIGH_NAME = re.compile(r'[\ue000-\U0010ffff](?:[^"\\]|\\.)*":')
_HEX, _XID = re.compile(r"[0-9a-f]{64}"), re.compile(r"0|[1-9][0-9]{0,19}")
_DAY, _HOUR = r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", r"([01]\d|2[0-3])(:[0-5]\d){2}"
_TIME = re.compile(rf"\d{{4}}-{_DAY}T{_HOUR}\.\d{{6}}Z", re.ASCII)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SHAPES: dict[str, dict[str, Any]] = {
    "records.jsonl": {
        "v": int,
        "stream": str,
        "kind": str,
        "occurred_at": _TIME,
        "actor": dict,
        "changes": list,
        "reason": object,
        "source": dict,
        "parents": list,
        "blobs": list,
        "data": object,
    },
    "index.jsonl": {
        "id": _ID,
        "leaf": _HEX,
        "recorded_at": _TIME,
        "sequence": int,
        "transaction": _XID,
    },
    "blocks.jsonl": {
        **dict.fromkeys(("v", "epoch", "timeline", "number", "first_sequence", "count"), int),
        **dict.fromkeys(("records_digest", "index_digest", "previous", "root"), _HEX),
        "transaction_from": _XID,
        "transaction_below": _XID,
        "sealed_at": _TIME,
        "origin": str,
        "system_identifier": str,
        "tree_size": int,
    },
    "proofs.jsonl": {"hashes": list, "sequence": int},
    "manifest.json": {
        "bundle": int,
        "created_at": _TIME,
        "files": dict,
        "filters": dict,
        "origin": str,
        "scope": re.compile("complete|selection"),
        "software": str,
        "tree_size": int,
    },
}


def read_canonical(line: bytes, place: str, shape: dict[str, Any] | None = None) -> Any:
    """The value of a canonical text; writing it again must give the same text."""
    try:
        text = line.decode()
        value = _parse(text)
        same = _write(value) == text and (line.isascii() or not _HIGH_NAME.search(text))
    except (ValueError, RecursionError) as error:
        raise Flaw(place, f"not canonical JSON: {error}") from error
    require(same, place, "JSON, but not in canonical form")
    if shape is not None:
        named = isinstance(value, dict) and value.keys() == shape.keys()
        require(named, place, "does not have the members that belong here")
        for name, rule in shape.items():
            fits = _fits(value[name], rule) and (name not in ("v", "bundle") or value[name] == 1)
            require(fits, place, f"{name} is not of the form it must have")
    return value


def _fits(value: Any, rule: Any) -> bool:
    if isinstance(rule, re.Pattern):
        return isinstance(value, str) and rule.fullmatch(value) is not None
    return rule is object or (type(value) is rule and (rule is not int or value >= 0))


class Lines:
    """A file line by line: ``head`` is the next line and its value, None at the end."""

    def __init__(self, folder: Path, name: str, stack: ExitStack) -> None:
        self.name, self.place, self.number, self.digest = name, name, 0, hashlib.sha256()
        self.file = stack.enter_context((folder / name).open("rb"))
        self.head: tuple[bytes, Any] | None = (b"", None)
        self.take()

    def take(self, wanted: str = "a line") -> tuple[str, bytes, Any]:
        """The place, the text and the value of the next line."""
        if self.head is None:
            raise Flaw(self.place, f"the file ends here, {wanted} is missing")
        taken, raw = (self.place, *self.head), self.file.readline(MAX_LINE)
        self.digest.update(raw)
        self.number, self.place = self.number + 1, f"{self.name} line {self.number + 1}"
        require(not raw or raw.endswith(b"\n"), self.place, "the line is cut, or too long")
        shape = SHAPES.get(self.name)
        self.head = (raw[:-1], read_canonical(raw[:-1], self.place, shape)) if raw else None
        return taken


# --- Ed25519 verification: RFC 8032, 5.1; points are (X, Y, Z, T) in extended coordinates ---
_P, _L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
_D, _ROOT_OF_MINUS_ONE = -121665 * pow(121666, _P - 2, _P) % _P, pow(2, (_P - 1) // 4, _P)


def _point(raw: bytes) -> tuple | None:
    """None for what is not on the curve or not in its one spelling."""
    sign, y = raw[31] >> 7, int.from_bytes(raw, "little") & ((1 << 255) - 1)
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P == -u % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if y >= _P or v * x * x % _P != u or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else _P - x
    return x, y, 1, x * y % _P


def _add(p: tuple, q: tuple) -> tuple:
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * _D * p[3] * q[3], 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: tuple) -> tuple:
    total: tuple = (0, 1, 1, 0)
    while scalar:
        total = _add(total, point) if scalar & 1 else total
        point, scalar = _add(point, point), scalar >> 1
    return total


def ed25519_is_valid(public: bytes, message: bytes, signature: bytes) -> bool:
    """Strict: refuses s >= L, points in another spelling, and keys of small order."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, r, s = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    generator = _point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))
    if not key or not r or not generator or s >= _L or _times(8, key)[0] == 0:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    right = _add(r, _times(int.from_bytes(digest, "little") % _L, key))
    x, y, z, _ = _times(s, generator)
    return (x * right[2] - right[0] * z) % _P == 0 == (y * right[2] - right[1] * z) % _P


# --- checkpoints (C2SP signed notes) and keys, which are {(key name, key id): public key} ---
_NOTE = re.compile(
    r"([^\x00-\x1f\x7f]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n"
    r"block (0|[1-9][0-9]{0,15}) ([0-9a-f]{64})\n\n((?:— [^\s+]+ [A-Za-z0-9+/]+=*\n)+)"
)


class Note(NamedTuple):
    place: str
    stated: tuple[str, int, str, int, str]  # origin, tree size, root, block number, block hash
    body: bytes
    lines: list[tuple[str, bytes]]  # key name; key id and signature

    def signers(self, keys: dict) -> set[tuple[str, bytes]]:
        """The known keys that signed; a wrong signature of a known key is a flaw."""
        known = [(name, c[:4], c[4:]) for name, c in self.lines if (name, c[:4]) in keys]
        for name, key_id, signature in known:
            valid = ed25519_is_valid(keys[name, key_id], self.body, signature)
            require(valid, self.place, f"the signature of {name} does not fit")
        return {(name, key_id) for name, key_id, _ in known}


def read_note(text: Any, place: str) -> Note:
    found = _NOTE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise Flaw(place, "not a signed checkpoint")
    origin, size, root, block, block_hash, signatures = found.groups()
    lines = [line.split(" ")[1:] for line in signatures[:-1].split("\n")]
    stated = (origin, int(size), _base64(root, place).hex(), int(block), block_hash)
    body, place = text[: found.start(6) - 1].encode(), f"{place} (checkpoint of size {size})"
    return Note(place, stated, body, [(name, _base64(c, place)) for name, c in lines])


def _base64(text: str, place: str) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        content = b""
    require(content and base64.b64encode(content).decode() == text, place, f"bad base64 {text!r}")
    return content


def read_trust(path: Path, place: str) -> tuple[dict[tuple[str, bytes], bytes], list[Note]]:
    """Keys and checkpoints of a file; empty lines and lines with # are passed over."""
    keys, notes, text = {}, [], path.read_bytes().decode()
    if _NOTE.fullmatch(text):
        return {}, [read_note(text, place)]
    for line in filter(None, text.split("\n")):
        if line.startswith('"'):
            notes.append(read_note(read_canonical(line.encode(), place), place))
        elif not line.startswith("#"):
            name, _, rest = line.partition("+")
            content = _base64(rest[9:], place)
            key_id = hashlib.sha256(name.encode() + b"\n" + content).digest()[:4]
            fits = len(content) == 33 and content[0] == 1 and rest[:9] == f"{key_id.hex()}+"
            require(fits, place, f"{line!r} is not a key name+id+base64, or its id is wrong")
            keys[name, key_id] = content[1:]
    require(keys or notes, place, "holds neither a public key nor a checkpoint")
    return keys, notes


# --- the tree: RFC 6962 ---
def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def grow(peaks: list[bytes], size: int, leaf: bytes) -> None:
    """Add a leaf to a tree of ``size`` leaves, kept as its complete subtrees, largest first."""
    while size & 1:
        leaf, size = _node(peaks.pop(), leaf), size >> 1
    peaks.append(leaf)


def root_of(peaks: list[bytes]) -> bytes:
    joined = peaks[-1]
    for peak in peaks[-2::-1]:
        joined = _node(peak, joined)
    return joined


def root_by_proof(leaf: bytes, index: int, size: int, proof: list[str]) -> bytes:
    """The root that an inclusion proof leads to; empty when the proof has a wrong length."""
    if size <= 1 or not proof:
        return leaf if size == 1 and not proof else b""
    left, sibling = 1 << ((size - 1).bit_length() - 1), bytes.fromhex(proof[-1])
    if index < left:
        return _node(root_by_proof(leaf, index, left, proof[:-1]), sibling)
    return _node(sibling, root_by_proof(leaf, index - left, size - left, proof[:-1]))


# --- the bundle ---
_STREAMS = ("records.jsonl", "index.jsonl", "blocks.jsonl", "checkpoints.jsonl", "proofs.jsonl")
_NOT_JUDGED = re.compile(r"cosignatures\.jsonl|(tokens|copies)/.+")
_OTHERS = re.compile(r"fields\.md|README\.txt|verifier\.py|blobs/[0-9a-f]{64}")
_START = {"number": -1, "end": 0, "hash": "0" * 64, "epoch": 0, "sealed_at": ""}


def check_chain(header: dict[str, Any], before: dict[str, Any], place: str) -> None:
    """Check a header against the one before it."""
    same = ["epoch", "system_identifier", "timeline"] if before["end"] else ["epoch"]
    expected = {"number": before["number"] + 1, "first_sequence": before["end"]}
    expected.update(tree_size=header["end"], previous=before["hash"])
    if not before["end"] or header["epoch"] != before["epoch"] + 1:
        expected.update({name: before[name] for name in same})
        expected["transaction_from"] = before.get("transaction_below", header["transaction_from"])
    for name, value in expected.items():
        require(header[name] == value, place, f"{name} is {header[name]}, but must be {value}")
    require(header["count"] > 0, place, "holds no record")
    require(header["sealed_at"] >= before["sealed_at"], place, "is sealed before the last block")
    is_range = int(header["transaction_from"]) < int(header["transaction_below"])
    require(is_range, place, "transaction_from is not below transaction_below")


class Check:
    """One pass over a bundle; every step raises Flaw at the first thing that is wrong."""

    def __init__(self, folder: Path, trust: Path | None, stack: ExitStack) -> None:
        self.folder, self.records_checked, self.peaks = folder, 0, []
        raw = (folder / "manifest.json").read_bytes()
        listed = (folder / "manifest.sha256").read_bytes() == b"%s  manifest.json\n" % sha256(
            raw
        ).encode()
        require(listed, "manifest.json", "does not have the digest in manifest.sha256")
        self.manifest = read_canonical(raw, "manifest.json", SHAPES["manifest.json"])
        self.files, self.size = self.manifest["files"], self.manifest["tree_size"]
        self.is_complete = self.manifest["scope"] == "complete"
        self.uncited = {name for name in self.files if name.startswith("blobs/")}
        names = _STREAMS[:4] if self.is_complete else _STREAMS
        self.check_names({*names, "keys.txt"})
        self.keys, _ = read_trust(folder / "keys.txt", "keys.txt")
        self.trusted, self.earlier = read_trust(trust, str(trust)) if trust else ({}, [])
        for note in [] if self.trusted else self.earlier:  # who signed it is the ledger's key
            self.trusted = {
                **self.trusted,
                **{key: self.keys[key] for key in note.signers(self.keys)},
            }
            require(self.trusted, note.place, "is trusted, but signed by no key of keys.txt")
        self.final = self.read_final()
        self.lines = {name: Lines(folder, name, stack) for name in names}
        self.records, self.index, self.blocks, self.notes, *_ = self.lines.values()

    def check_names(self, wanted: set[str]) -> None:
        """Exactly the files of the manifest are there, and each has a place in the format."""
        found = set()
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            require(not path.is_symlink(), name, "is a link, not a file")
            found |= {name} if path.is_file() else set()
        for name in sorted((found - {"manifest.json", "manifest.sha256"}) ^ self.files.keys()):
            what = "is not listed in manifest.json" if name in found else "is missing"
            raise Flaw(name, what)
        for name in sorted(wanted - found):
            raise Flaw(name, "is missing, and manifest.json does not list it")
        for name in sorted(self.files.keys() - wanted):
            known = _OTHERS.fullmatch(name) or _NOT_JUDGED.fullmatch(name)
            require(known, name, "has no place in a bundle of this version")

    def read_final(self) -> Note:
        """The last checkpoint, read ahead because proofs are checked against its root."""
        last = b""
        with (self.folder / "checkpoints.jsonl").open("rb") as lines:
            for line in lines:
                last = line
        place = "checkpoints.jsonl, last line"
        note = read_note(read_canonical(last.rstrip(b"\n"), place), place)
        require(note.stated[1] == self.size, place, "does not cover tree_size of manifest.json")
        return note

    def run(self) -> dict[str, Any]:
        header: dict[str, Any] = _START
        while self.blocks.head is not None:
            header = self.check_block(header)
        for lines in self.lines.values():
            require(lines.head is None, lines.place, "belongs to no block of the bundle")
        require(header["end"] == self.size, "blocks.jsonl", "does not end at the last checkpoint")
        for note in self.earlier:
            raise Flaw(note.place, "trusted, but the bundle ends before it: records were cut off")
        for name in sorted(self.uncited):
            raise Flaw(name, "is cited by no record")
        self.check_digests()
        names = sorted({name for name, _ in self.final.signers(self.trusted)})
        return {
            "scope": self.manifest["scope"],
            "records": self.records_checked,
            "blocks": header["number"] + 1,
            "tree_size": self.size,
            "proved_by": names,
            "not_judged": sorted(filter(_NOT_JUDGED.fullmatch, self.files)),
        }

    def check_block(self, before: dict[str, Any]) -> dict[str, Any]:
        place, line, header = self.blocks.take()
        header["end"] = header["first_sequence"] + header["count"]
        header["hash"] = hashlib.sha256(b"\x02" + line).hexdigest()
        place = f"{place} (block {header['number']})"
        check_chain(header, before, place)
        require(header["origin"] == self.manifest["origin"], place, "has another origin")
        following = self.index.head[1]["sequence"] if self.index.head else header["end"]
        if self.is_complete or following < header["end"]:
            self.check_entries(header, header["epoch"] != before["epoch"], place)
        same = not self.is_complete or root_of(self.peaks).hex() == header["root"]
        require(same, place, "root is not the root of the leaves up to this block")
        self.check_notes(header)
        return header

    def check_entries(self, header: dict[str, Any], opens: bool, block: str) -> None:
        """Check the index lines of one block, and those of its records that are in the bundle."""
        index, records, shown, before = hashlib.sha256(), hashlib.sha256(), 0, (-1, "")
        low, high = int(header["transaction_from"]), int(header["transaction_below"])
        for sequence in range(header["first_sequence"], header["end"]):
            place, line, entry = self.index.take(f"sequence {sequence}")
            require(entry["sequence"] == sequence, place, f"sequence {sequence} must stand here")
            order = (int(entry["transaction"]), entry["id"])
            require(low <= order[0] < high, place, "its transaction is outside its block's range")
            require(before < order, place, "is not in the order of (transaction, id)")
            before, leaf = order, bytes.fromhex(entry["leaf"])
            index.update(line + b"\n")
            if self.is_complete:
                grow(self.peaks, sequence, leaf)
            if self.is_complete or self.is_next(sequence):
                opening = opens and sequence == header["first_sequence"]
                records.update(self.check_record(leaf, sequence, opening) + b"\n")
                shown += 1
        fits = index.hexdigest() == header["index_digest"]
        require(
            fits, block, f"index_digest does not fit index.jsonl up to line {self.index.number - 1}"
        )
        fits = shown < header["count"] or records.hexdigest() == header["records_digest"]
        require(fits, block, "records_digest does not fit records.jsonl")
        require(shown, block, "is in index.jsonl, but none of its records was selected")

    def check_record(self, leaf: bytes, sequence: int, opens_epoch: bool) -> bytes:
        place, line, payload = self.records.take(f"the record with sequence {sequence}")
        place = f"{place} (sequence {sequence})"
        fits = hashlib.sha256(b"\x00" + line).digest() == leaf
        require(fits, place, "payload does not match its leaf in index.jsonl")
        require(len(line) <= MAX_PAYLOAD, place, f"is longer than {MAX_PAYLOAD} bytes")
        is_fork = payload["kind"] == FORK_KIND
        require(is_fork or not opens_epoch, place, "opens an epoch, but is no fork record")
        for name in (f"blobs/{blob}" for blob in payload["blobs"]):
            require(name in self.files, place, f"cites {name}, which is missing")
            self.uncited.discard(name)
        if not self.is_complete:
            proof_place, _, proof = self.lines["proofs.jsonl"].take()
            root = root_by_proof(leaf, sequence, self.size, proof["hashes"]).hex()
            require(root == self.final.stated[2], proof_place, "does not lead to the last root")
        self.records_checked += 1
        return line

    def is_next(self, sequence: int) -> bool:
        """Whether the next proof is for this sequence, so that its record is in the bundle."""
        head = self.lines["proofs.jsonl"].head
        return head is not None and head[1]["sequence"] == sequence

    def check_notes(self, header: dict[str, Any]) -> None:
        """Check the checkpoints, of the bundle and trusted ones, that name this block."""
        stated = tuple(header[name] for name in ("origin", "tree_size", "root", "number", "hash"))
        for note in [note for note in self.earlier if note.stated[3] == header["number"]]:
            require(note.stated == stated, note.place, "trusted, but not a prefix of this ledger")
            self.earlier.remove(note)
        while self.notes.head is not None:
            note = read_note(self.notes.head[1], self.notes.place)
            if note.stated[3] > header["number"]:
                break
            require(note.stated == stated, note.place, f"is not about block {header['number']}")
            signed = note.signers({**self.keys, **self.trusted})
            require(signed & self.keys.keys(), note.place, "is signed by no key of keys.txt")
            proved = not self.trusted or signed & self.trusted.keys()
            require(proved, note.place, "is signed by no trusted key")
            self.notes.take()

    def check_digests(self) -> None:
        read = {name: lines.digest.hexdigest() for name, lines in self.lines.items()}
        for name, listed in sorted(self.files.items()):
            digest = read.get(name) or digest_of(self.folder / name)
            require(digest == listed, name, "does not have the digest in manifest.json")
            named = not name.startswith("blobs/") or name[6:] == digest
            require(named, name, "its content does not have the digest of its name")


def digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            digest.update(part)
    return digest.hexdigest()


def verify(folder: Path | str, trust: Path | str | None = None) -> Result:
    """Check a bundle. Raises Flaw or OSError when the file of ``trust`` cannot be used."""
    trusted = Path(trust) if trust else None
    if trusted:
        read_trust(trusted, str(trusted))
    try:
        with ExitStack() as stack:
            facts = Check(Path(folder), trusted, stack).run()
    except Flaw as flaw:
        place, what = flaw.args
    except (OSError, ValueError, RecursionError) as error:
        place, what = str(folder), f"cannot be read: {error}"
    else:
        kept = [f"digest fits, content not judged: {name}\n" for name in facts["not_judged"]]
        by = f"origin proved by key {', '.join(facts['proved_by'])}"
        text = "{scope}: {records} records checked, {blocks} blocks, tree size {tree_size}: "
        verdict = by if facts["proved_by"] else "consistent, origin not proved"
        return Result(True, "".join(kept) + text.format(**facts) + verdict, facts)
    return Result(False, f"FLAW {place}: {what}", {"place": place, "what": what})


def main() -> int:
    parser = argparse.ArgumentParser(description="Check an exported bundle of the record store.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--trust", type=Path, metavar="FILE", help="public keys or a checkpoint")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    given = parser.parse_args()
    if not given.folder.is_dir():
        parser.error(f"{given.folder} is not a folder")
    try:
        result = verify(given.folder, given.trust)
    except (Flaw, OSError, ValueError) as error:
        parser.error(f"--trust: {error}")
    print(json.dumps({"ok": result.ok, **result.facts}) if given.json else result.text)
    return 0 if result.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
