#!/usr/bin/env python3
"""Check an exported bundle of the record store, on any machine with Python 3.9 or later.

    python verifier.py DIR [--trust FILE] [--json]

Exit status 0: every check passed. 1: a flaw, named with its place. 2: called wrongly. FILE holds
what you trust from elsewhere: public keys (name+id+base64), one a line, or earlier checkpoints,
as a note or as JSON strings, one a line. Format and checks: docs/design/records.md of the product.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from base64 import b64decode
from collections import deque, namedtuple
from functools import reduce
from pathlib import Path
from typing import Any, Iterator  # noqa: UP035  (for Python 3.9)

# ``text`` is what is printed; ``facts`` are what was checked, or place and what of the flaw.
Result = namedtuple("Result", "ok text facts")
MAX_PAYLOAD, MAX_LINE, MAX_INTEGER = 32_768, 1 << 20, 2**53 - 1  # bytes, bytes, either sign


class Flaw(Exception):
    """The first thing that is wrong; its arguments are the place and what is wrong there."""


def require(condition: Any, place: str, what: str) -> None:
    if not condition:
        raise Flaw(place, what)


# --- canonical text (RFC 8785 without floating point) and the members of its objects ---
def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:  # int refuses fractions and NaN
        raise ValueError("an integer beyond 2^53 - 1")
    return int(text)


_parse = json.JSONDecoder(parse_float=_integer, parse_constant=_integer, parse_int=_integer).decode
_write = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
_HIGH_NAME = re.compile(r'[\ue000-\U0010ffff](?:[^"\\]|\\.)*":')  # in a member name, from U+D800 on
_MEMBERS = {
    "records.jsonl": "actor blobs changes data kind occurred_at parents reason source stream v",
    "index.jsonl": "id leaf recorded_at sequence transaction",
    "blocks.jsonl": "count epoch first_sequence index_digest number origin previous records_digest"
    " root sealed_at system_identifier timeline transaction_below transaction_from tree_size v",
    "proofs.jsonl": "hashes sequence",
    "manifest.json": "bundle created_at files filters origin scope software tree_size",
}
_FORMS = {  # how a member is written, and the names of the members that are written so
    "1": "bundle v",
    r"\d+": "epoch first_sequence number sequence timeline tree_size",
    r"[1-9]\d*": "count",
    r'"[0-9a-f]{64}"': "index_digest leaf previous records_digest root",
    r'\[("[0-9a-f]{64}"(,"[0-9a-f]{64}")*)?\]': "blobs hashes parents",
    r'"(0|[1-9]\d{0,19})"': "transaction transaction_below transaction_from",
    r'"\d{4}(-\d\d){2}T\d\d(:\d\d){2}\.\d{6}Z"': "created_at occurred_at recorded_at sealed_at",
    r'"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"': "id",
    r'".*"': "kind origin software stream system_identifier",
    r"\{.*\}": "actor files filters source",
    r'"(complete|selection)"': "scope",
}
_RULES = {name: re.compile(form, re.ASCII) for form, of in _FORMS.items() for name in of.split()}


def read_canonical(line: bytes, place: str, file: str = "") -> Any:
    """The value of a canonical text; writing it again must give the same text."""
    try:
        text = line.decode()
        value = _parse(text)
        same = _write(value) == text and (line.isascii() or not _HIGH_NAME.search(text))
    except (ValueError, RecursionError) as error:
        raise Flaw(place, f"not canonical JSON: {error}") from error
    require(same, place, "JSON, but not in canonical form")
    if file in _MEMBERS:
        named = isinstance(value, dict) and set(value) == set(_MEMBERS[file].split())
        require(named, place, "does not have the members that belong here")
        for name in value.keys() & _RULES.keys():
            require(_RULES[name].fullmatch(_write(value[name])), place, f"{name} is malformed")
    return value


def lines_of(path: Path) -> Iterator[tuple[str, bytes, Any]]:
    """Place, text and value of each line; the value of the end is None."""
    with path.open("rb") as file:
        for number, raw in enumerate(iter(lambda: file.readline(MAX_LINE), b""), 1):
            place = f"{path.name} line {number}"
            require(raw.endswith(b"\n"), place, "the line is cut, or too long")
            yield place, raw[:-1], read_canonical(raw[:-1], place, path.name)
    yield f"{path.name}, at its end", b"", None


# --- Ed25519 verification: RFC 8032, 5.1; points are (X, Y, Z, T) in extended coordinates ---
_P, _L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
_D, _ROOT_OF_MINUS_ONE = -121665 * pow(121666, _P - 2, _P) % _P, pow(2, (_P - 1) // 4, _P)


def _point(raw: bytes) -> tuple | None:
    """None for what is not on the curve or not in its one spelling."""
    sign, y = divmod(int.from_bytes(raw, "little"), 1 << 255)
    xx = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(xx, (_P + 3) // 8, _P)
    x = x if x * x % _P == xx else x * _ROOT_OF_MINUS_ONE % _P
    if len(raw) != 32 or y >= _P or x * x % _P != xx or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else _P - x
    return x, y, 1, x * y % _P


def _add(p: tuple, q: tuple) -> tuple:
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * _D * p[3] * q[3], 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: tuple) -> tuple:
    if scalar == 0:
        return 0, 1, 1, 0
    total = _times(scalar >> 1, _add(point, point))
    return _add(total, point) if scalar & 1 else total


def ed25519_is_valid(public: bytes, message: bytes, signature: bytes) -> bool:
    """Strict: refuses s >= L, points in another spelling, and keys of small order."""
    key, r, s = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    generator = _point(b"\x58" + b"\x66" * 31)
    if not key or not r or not generator or s >= _L or _times(8, key)[0] == 0:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    right = _add(r, _times(int.from_bytes(digest, "little") % _L, key))
    x, y, z, _ = _times(s, generator)
    return (x * right[2] - right[0] * z) % _P == 0 == (y * right[2] - right[1] * z) % _P


# --- keys, as {(name, id): public key}, and checkpoints, which are C2SP signed notes ---
_C = "[A-Za-z0-9+/]"
_BASE64 = f"(?:{_C}{{4}})*(?:{_C}[AQgw]==|{_C}{{2}}[AEIMQUYcgkosw048]=)?"  # in its one spelling
_KEY = re.compile(rf"([^\s+]+)\+([0-9a-f]{{8}})\+({_BASE64})")
_NOTE = re.compile(
    rf"([^\x00-\x1f\x7f]+)\n(0|[1-9][0-9]{{0,15}})\n(?=.{{44}}\n)({_BASE64})\nblock (0|[1-9][0-9]"
    rf"{{0,15}}) ([0-9a-f]{{64}})\n\n((?:— [^\s+]+ {_BASE64}\n)+)"
)


Note = namedtuple("Note", "place stated body lines")  # states origin, size, root, block, hash


def signers(note: Note, keys: dict) -> set[tuple[str, bytes]]:
    """The known keys that signed; a wrong signature of a known key is a flaw."""
    known = [(name, content) for name, content in note.lines if (name, content[:4]) in keys]
    for name, content in known:
        valid = ed25519_is_valid(keys[name, content[:4]], note.body, content[4:])
        require(valid, note.place, f"the signature of {name} does not fit")
    return {(name, content[:4]) for name, content in known}


def read_note(text: Any, place: str) -> Note:
    found: Any = _NOTE.fullmatch(text) if isinstance(text, str) else None
    require(found, place, "not a signed checkpoint")
    origin, size, root, block, block_hash, signatures = found.groups()
    lines = [line.split(" ")[1:] for line in signatures[:-1].split("\n")]
    stated = (origin, int(size), b64decode(root).hex(), int(block), block_hash)
    body, place = text[: found.start(6) - 1].encode(), f"{place} (checkpoint of size {size})"
    return Note(place, stated, body, [(name, b64decode(content)) for name, content in lines])


def read_trust(path: Path) -> tuple[dict[tuple[str, bytes], bytes], list[Note]]:
    """Keys and checkpoints of a file; empty lines and lines with # are passed over."""
    keys, notes, place, text = {}, [], path.name, path.read_bytes().decode()
    lines = [_write(text)] if _NOTE.fullmatch(text) else text.split("\n")
    for line in filter(None, lines):
        if line.startswith('"'):
            notes.append(read_note(read_canonical(line.encode(), place), place))
        elif not line.startswith("#"):
            found = _KEY.fullmatch(line)
            name, given_id, content = found.groups() if found else ("", "", "")
            key = b64decode(content)
            key_id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
            fits = len(key) == 33 and key[0] == 1 and given_id == key_id.hex()
            require(fits, place, f"{line!r} is not a key name+id+base64, or its id is wrong")
            keys[name, key_id] = key[1:]
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


def root_by_proof(leaf: bytes, index: int, size: int, proof: list[str]) -> bytes:
    """The root that an inclusion proof leads to; empty when the proof has a wrong length."""
    if size <= 1 or not proof:
        return leaf if size == 1 and not proof else b""
    left, sibling = 1 << ((size - 1).bit_length() - 1), bytes.fromhex(proof[-1])
    inner = root_by_proof(leaf, index % left, left if index < left else size - left, proof[:-1])
    return _node(inner, sibling) if index < left else _node(sibling, inner)


# --- the bundle ---
_STREAMS = ("records.jsonl", "index.jsonl", "blocks.jsonl", "checkpoints.jsonl", "proofs.jsonl")
_OTHERS = {"fields.md", "README.txt", "verifier.py", "cosignatures.jsonl"}
_NOT_JUDGED = ("tokens/", "copies/", "cosignatures.jsonl")
_START = {"number": -1, "end": 0, "hash": "0" * 64, "epoch": 0, "sealed_at": ""}


class Check:
    """One pass over a bundle; ``heads`` are the next lines of its files, read by ``take``."""

    def __init__(self, folder: Path, trusted: dict, earlier: list[Note]) -> None:
        self.folder, self.earlier = folder, earlier
        self.peaks: list[bytes] = []
        raw, place = (folder / "manifest.json").read_bytes(), "manifest.json"
        listed = f"{hashlib.sha256(raw).hexdigest()}  {place}\n".encode()
        same = (folder / "manifest.sha256").read_bytes() == listed
        require(same, place, "does not have the digest in manifest.sha256")
        manifest = read_canonical(raw, place, place)
        self.files, self.scope = manifest["files"], manifest["scope"]
        self.origin, self.size, self.records = manifest["origin"], manifest["tree_size"], 0
        names = _STREAMS if self.scope == "selection" else _STREAMS[:4]
        self.check_names({*names, "keys.txt"})
        self.keys, _ = read_trust(folder / "keys.txt")
        self.known, self.trusted = {**self.keys, **trusted}, set(trusted)
        for note in () if trusted else earlier:  # a key that signed it is the ledger's
            self.trusted |= signers(note, self.keys)
            require(self.trusted, note.place, "is trusted, but signed by no key of keys.txt")
        with (folder / "checkpoints.jsonl").open("rb") as file:  # proofs are checked against this
            last, place = b"".join(deque(file, 1)).rstrip(b"\n"), "the last of checkpoints.jsonl"
        self.final = read_note(read_canonical(last, place), place)
        self.lines = {name: lines_of(folder / name) for name in names}
        self.heads = {name: next(lines) for name, lines in self.lines.items()}

    def take(self, name: str, wanted: str = "a line") -> tuple[str, bytes, Any]:
        head = self.heads[name]
        require(head[2] is not None, head[0], f"the file ends here, {wanted} is missing")
        self.heads[name] = next(self.lines[name])
        return head

    def check_names(self, wanted: set[str]) -> None:
        """Exactly the files of the manifest are there, and each has a place in the format."""
        paths = {path.relative_to(self.folder).as_posix(): path for path in self.folder.rglob("*")}
        present = {name for name in paths if paths[name].is_symlink() or not paths[name].is_dir()}
        present -= {"manifest.json", "manifest.sha256"}
        for name in sorted(present | self.files.keys() | wanted):
            require(name in self.files, name, "is not listed in manifest.json")
            require(name in paths and not paths[name].is_symlink(), name, "is missing, or a link")
            known = name in wanted | _OTHERS or name.startswith(("blobs/", *_NOT_JUDGED))
            require(known, name, "has no place in a bundle of this version")

    def run(self) -> Result:
        """Check it all; every step raises Flaw at the first thing that is wrong."""
        header: dict[str, Any] = _START
        while self.heads["blocks.jsonl"][2] is not None:
            header = self.check_block(header)
        for place, _, head in self.heads.values():
            require(head is None, place, "belongs to no block of the bundle")
        ends = {header["end"], self.final.stated[1], self.size}
        require(len(ends) == 1, "manifest.json", "tree_size is not where blocks, checkpoints end")
        for note in self.earlier:
            raise Flaw(note.place, "trusted, but the bundle ends before it: records were cut off")
        for name, listed in sorted(self.files.items()):
            digest = hashlib.sha256()
            with (self.folder / name).open("rb") as file:
                for part in iter(lambda: file.read(MAX_LINE), b""):
                    digest.update(part)
            require(digest.hexdigest() == listed, name, "does not have the digest in manifest.json")
            require(name[:6] != "blobs/" or name[6:] == listed, name, "is not named by its digest")
        by = sorted({name for name, _ in signers(self.final, self.known) & self.trusted})
        kept = [name for name in sorted(self.files) if name.startswith(_NOT_JUDGED)]
        blocks, facts = header["number"] + 1, {"scope": self.scope, "records": self.records}
        facts.update(blocks=blocks, tree_size=self.size, proved_by=by, not_judged=kept)
        text = "".join(f"digest fits, content not judged: {name}\n" for name in kept)
        text += f"{self.scope}: {self.records} records, {blocks} blocks, tree size {self.size}: "
        text += f"origin proved by key {', '.join(by)}" if by else "consistent, origin not proved"
        return Result(True, text, facts)

    def check_block(self, before: dict[str, Any]) -> dict[str, Any]:
        """Check a header against the one before it, then its records and checkpoints."""
        place, line, header = self.take("blocks.jsonl")
        header["end"] = header["first_sequence"] + header["count"]
        header["hash"] = hashlib.sha256(b"\x02" + line).hexdigest()
        place, opens = f"{place} (block {header['number']})", header["epoch"] == before["epoch"] + 1
        must = {"origin": self.origin, "number": before["number"] + 1, "previous": before["hash"]}
        must.update(first_sequence=before["end"], tree_size=header["end"])
        if not opens or not before["end"]:  # one epoch lives in one cluster
            same = ("epoch", "system_identifier", "timeline", "transaction_from")
            must.update({name: before.get(name, header[name]) for name in same})
        for name, value in must.items():
            require(header[name] == value, place, f"{name} is {header[name]}, but must be {value}")
        require(header["sealed_at"] >= before["sealed_at"], place, "is sealed before the last one")
        span = range(int(header["transaction_from"]), int(header["transaction_below"]))
        require(span.start < span.stop, place, "transaction_below is not above transaction_from")
        following = self.heads["index.jsonl"][2]
        if self.scope == "complete" or (following and following["sequence"] < header["end"]):
            self.check_entries(header, span, opens, place)
        if self.scope == "complete":
            root = reduce(lambda right, left: _node(left, right), self.peaks[::-1]).hex()
            require(root == header["root"], place, "root is not that of the leaves so far")
        self.check_notes(header)
        return {**header, "transaction_from": header["transaction_below"]}  # where the next begins

    def check_entries(self, header: dict[str, Any], span: range, opens: bool, block: str) -> None:
        """Check the index lines of one block, and those of its records that are in the bundle."""
        index, records, shown, order = hashlib.sha256(), hashlib.sha256(), -self.records, (-1, "")
        for sequence in range(header["first_sequence"], header["end"]):
            place, line, entry = self.take("index.jsonl", f"sequence {sequence}")
            require(entry["sequence"] == sequence, place, f"sequence {sequence} must stand here")
            leaf, before = bytes.fromhex(entry["leaf"]), order
            order = (int(entry["transaction"]), entry["id"])
            require(order[0] in span, place, "its transaction is outside its block's range")
            require(before < order, place, "is not in the order of (transaction, id)")
            index.update(line + b"\n")
            if self.scope == "complete":
                grow(self.peaks, sequence, leaf)
            elif (self.heads["proofs.jsonl"][2] or {}).get("sequence") != sequence:
                continue
            opening = opens and sequence == header["first_sequence"]
            records.update(self.check_record(leaf, sequence, opening) + b"\n")
        shown += self.records
        require(index.hexdigest() == header["index_digest"], block, "index_digest does not fit")
        fits = shown < header["count"] or records.hexdigest() == header["records_digest"]
        require(fits, block, "records_digest does not fit records.jsonl")
        require(shown, block, "has index lines, but no record, in the bundle")

    def check_record(self, leaf: bytes, sequence: int, opens: bool) -> bytes:
        place, line, payload = self.take("records.jsonl", f"the record with sequence {sequence}")
        place = f"{place} (sequence {sequence})"
        fits = hashlib.sha256(b"\x00" + line).digest() == leaf
        require(fits, place, "payload does not match its leaf in index.jsonl")
        require(len(line) <= MAX_PAYLOAD, place, f"is longer than {MAX_PAYLOAD} bytes")
        is_right = not opens or payload["kind"] == "audit.ledger.forked"
        require(is_right, place, "opens an epoch, but is no fork record")
        for blob in payload["blobs"]:
            require(f"blobs/{blob}" in self.files, place, f"cites blob {blob}, which is missing")
        if self.scope == "selection":
            proof_place, _, proof = self.take("proofs.jsonl")
            root = root_by_proof(leaf, sequence, self.size, proof["hashes"]).hex()
            require(root == self.final.stated[2], proof_place, "does not lead to the root")
        self.records += 1
        return line

    def check_notes(self, header: dict[str, Any]) -> None:
        """Check the checkpoints, of the bundle and trusted ones, that name this block."""
        stated = tuple(header[name] for name in ("origin", "tree_size", "root", "number", "hash"))
        for note in [note for note in self.earlier if note.stated[3] == header["number"]]:
            require(note.stated == stated, note.place, "trusted, but not a prefix of this ledger")
            self.earlier.remove(note)
        while (head := self.heads["checkpoints.jsonl"])[2] is not None:
            note = read_note(head[2], head[0])
            if note.stated[3] > header["number"]:
                break
            require(note.stated == stated, note.place, f"is not about block {header['number']}")
            signed = signers(note, self.known)
            require(signed & self.keys.keys(), note.place, "is signed by no key of keys.txt")
            require(
                not self.trusted or signed & self.trusted, note.place, "no trusted key signed it"
            )
            self.take("checkpoints.jsonl")


def verify(folder: Path | str, trust: Path | str | None = None) -> Result:
    """Check a bundle. Raises Flaw, OSError or ValueError if the file ``trust`` cannot be used."""
    trusted, earlier = read_trust(Path(trust)) if trust else ({}, [])
    try:
        return Check(Path(folder), trusted, earlier).run()
    except (Flaw, OSError, ValueError) as error:
        place, what = error.args if isinstance(error, Flaw) else (str(folder), str(error))
        return Result(False, f"FLAW {place}: {what}", {"place": place, "what": what})


def main() -> int:
    parser = argparse.ArgumentParser(description="Check an exported bundle of the record store.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--trust", type=Path, metavar="FILE", help="public keys or a checkpoint")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    given = parser.parse_args()
    try:
        next(given.folder.iterdir(), None)
        result = verify(given.folder, given.trust)
    except (Flaw, OSError, ValueError) as error:
        parser.error(str(error))
    print(json.dumps({"ok": result.ok, **result.facts}) if given.json else result.text)
    return 0 if result.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
