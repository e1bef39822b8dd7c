#!/usr/bin/env python3
"""Check an exported bundle of the record store, on any machine with Python 3.9 or later.

    python verifier.py BUNDLE [--trust FILE] [--quick] [--jobs N] [--json]

BUNDLE is a folder, or a .zip of one. Exit status 0: every check passed. 1: a flaw, named with its
place. 2: called wrongly. FILE holds what you trust from elsewhere: public keys (name+id+base64) of
the ledger and of witnesses, one a line, earlier checkpoints, as a note or as JSON strings, one a
line, and "quorum K". --quick compares digests, chain and checkpoints, and reads no record.
Format and checks: docs/design/records.md of the product. Nothing is written, no network is used.

Sections, in this order, each headed by a line with dashes:
    canonical text and the members of its objects
    a line of each file
    Ed25519
    keys, checkpoints, trust, and how the ledger's key turns
    the tree
    where a bundle lies: a folder or a zip
    the lines of a file
    the bundle: the class Check goes through all of it
    called as a program
"""

# ruff: noqa: B905, UP006, UP017, UP035  (for Python 3.9)

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import stat
import struct
import sys
import time
import zipfile
import zlib
from base64 import b64decode
from collections import deque, namedtuple
from contextlib import closing
from datetime import datetime, timezone
from functools import lru_cache
from operator import lt
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterator, Tuple

# ``text`` is what is printed; ``facts`` are what was checked, or place and what of the flaw.
Result = namedtuple("Result", "ok text facts")
MAX_PAYLOAD, MAX_LINE, MAX_INTEGER = 32_768, 1 << 20, 2**53 - 1  # bytes, bytes, either sign
MAX_DEPTH, MAX_MANIFEST, MAX_SIGNATURES = 64, 1 << 25, 64  # levels, bytes, lines of a checkpoint
MAX_NAMES, MAX_NAME = 300_000, 250  # files and folders of a bundle, characters of a path
PART, BATCH = 1 << 18, 1000  # bytes read at a time, records checked at a time
_UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


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
_HIGH = re.compile("[\ue000-\U0010ffff]")  # refused in member names
_HEX, _TIME = '"[0-9a-f]{64}"', r'"\d{4}(?:-\d\d){2}T\d\d(?::\d\d){2}\.\d{6}Z"'
_ID = '"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"'
_UUID = '"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"'
_DIGITS, _COUNT = r'"(?:0|[1-9]\d{0,19})"', r"(?:0|[1-9]\d{0,15})"
_HEXES = rf"\[(?:{_HEX}(?:,{_HEX})*)?\]"
_STRING = r'"(?:[^"\\]|\\.)*"'


def _actor(text: str) -> str:
    """The form of an actor whose texts have this form."""
    told = rf'(?:{_UUID},"kind":"person"|{text},"kind":"(?:process|os_user)")'
    return rf'\{{"id":{told},"name":{text}\}}'


def _source(text: str) -> str:
    names = ("address", "process", "session", "software")
    return r"\{" + ",".join(f'"{name}":(?:null|{text})' for name in names) + r"\}"


_FORMS = {
    "actor": _actor(_STRING),
    "count": _COUNT,
    "digests": rf"\{{(?:{_STRING}:{_HEX}(?:,{_STRING}:{_HEX})*)?\}}",
    "digits": _DIGITS,
    "hash": _HEX,
    "hashes": _HEXES,
    "id": _ID,
    "list": r"\[.*\]",
    "object": r"\{.*\}",
    "object?": r"\{.*\}|null",
    "one": "1",
    "scope": '"(?:complete|selection)"',
    "some": r"[1-9]\d{0,15}",
    "source": _source(_STRING),
    "text": '".*"',
    "text?": '".*"|null',
    "time": _TIME,
}
_TABLES = {  # file: its objects' members in order, each with the form it is written in
    "records.jsonl": "actor:actor blobs:hashes changes:list data:object? kind:text occurred_at:time"
    " parents:hashes reason:text? source:source stream:text v:one",
    "index.jsonl": "id:id leaf:hash recorded_at:time sequence:count transaction:digits",
    "blocks.jsonl": "count:some epoch:count first_sequence:count index_digest:hash number:count"
    " origin:text previous:hash records_digest:hash root:hash sealed_at:time"
    " system_identifier:text timeline:count transaction_below:digits transaction_from:digits"
    " tree_size:count v:one",
    "proofs.jsonl": "hashes:hashes sequence:count",
    "manifest.json": "bundle:one created_at:time files:digests filters:object origin:text"
    " scope:scope software:text tree_size:count",
}
_MEMBERS = {
    file: {name: _FORMS[form] for name, form in (each.split(":") for each in table.split())}
    for file, table in _TABLES.items()
}
_RULES = {
    file: {name: re.compile(form, re.ASCII) for name, form in forms.items()}
    for file, forms in _MEMBERS.items()
}


def _check_nesting(value: Any, left: int = MAX_DEPTH) -> None:
    if isinstance(value, (dict, list)):
        if left == 0:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict) and any(_HIGH.search(name) for name in value):
            raise ValueError("a member name has a character from U+D800 on")
        for item in value.values() if isinstance(value, dict) else value:
            _check_nesting(item, left - 1)


def read_canonical(line: bytes, place: str, file: str = "") -> Any:
    """The value of a canonical text; writing it again must give the same text."""
    try:
        text = line.decode()
        value = _parse(text)
        same = _write(value) == text
        if text.count("{") + text.count("[") > MAX_DEPTH or (
            not text.isascii() and _HIGH.search(text)
        ):
            _check_nesting(value)
    except (ValueError, RecursionError) as error:
        raise Flaw(place, f"not canonical JSON: {error}") from error
    require(same, place, "JSON, but not in canonical form")
    if file in _RULES:
        named = isinstance(value, dict) and value.keys() == _RULES[file].keys()
        require(named, place, "does not have the members that belong here")
        for name, rule in _RULES[file].items():
            require(rule.fullmatch(_write(value[name])), place, f"{name} is malformed")
    return value


# --- a line of each file: read by a pattern where its form allows, else as JSON ---
def _line_pattern(file: str) -> re.Pattern[str]:
    """Matches a line and catches its members; a text with an escape is left to JSON."""
    plain = r'"([^"\\\x00-\x1f]*)"'
    caught = {
        name: plain if form == '".*"' else f'"({form[1:-1]})"' if form[0] == '"' else f"({form})"
        for name, form in _MEMBERS[file].items()
    }
    return re.compile(
        r"\{" + ",".join(f'"{name}":{form}' for name, form in caught.items()) + r"\}", re.ASCII
    )


_LINES = {file: _line_pattern(file) for file in ("index.jsonl", "blocks.jsonl")}
Entry = namedtuple("Entry", "sequence leaf order")  # order: (transaction, id)
Header = namedtuple(
    "Header",
    "count epoch first_sequence index_digest number origin previous records_digest root sealed_at"
    " system_identifier timeline transaction_below transaction_from tree_size v hash",
)
Payload = namedtuple("Payload", "leaf opens blobs")  # opens: it is a fork record
Proof = namedtuple("Proof", "hashes sequence")
_IS_NUMBER = [
    form not in (_FORMS["text"], _HEX, _TIME, "1") for form in _MEMBERS["blocks.jsonl"].values()
]
FORK_KIND = "audit.ledger.forked"


def _members(line: bytes, file: str) -> tuple:
    """The members of an object in the order of their names; numbers may come as text."""
    found = _LINES[file].fullmatch(line.decode()) if line.isascii() else None
    return found.groups() if found else tuple(read_canonical(line, "", file).values())


def read_entry(line: bytes) -> Entry:
    identity, leaf, _, sequence, transaction = _members(line, "index.jsonl")
    return Entry(int(sequence), leaf, (int(transaction), identity))


def read_header(line: bytes) -> Header:
    members = _members(line, "blocks.jsonl")
    numbered = [int(m) if number else m for m, number in zip(members, _IS_NUMBER)]
    header = Header._make([*numbered, hashlib.sha256(b"\x02" + line).hexdigest()])
    require(header.timeline <= MAX_INTEGER, "", "timeline is beyond 2^53 - 1")
    return header


def read_text(line: bytes) -> Any:
    return read_canonical(line, "")


def read_proof(line: bytes) -> Proof:
    return Proof(**read_canonical(line, "", "proofs.jsonl"))


def read_payload(line: bytes) -> Payload:
    require(len(line) <= MAX_PAYLOAD, "", f"is longer than {MAX_PAYLOAD} bytes")
    leaf = hashlib.sha256(b"\x00" + line).hexdigest()
    text = line.decode("utf-8", "surrogateescape")
    start = text.rfind(_KIND) + len(_KIND)
    kind = text[start : text.find('"', start)]
    for shape in _SHAPES.get(kind, ()):
        if shape.fullmatch(text):
            return Payload(leaf, kind == FORK_KIND, ())
    payload = read_canonical(line, "", "records.jsonl")
    require(all(map(_is_change, payload["changes"])), "", "changes is malformed")
    if kind == payload["kind"] and not payload["blobs"] and len(line) < 4096:
        _learn(kind, payload)
    return Payload(leaf, payload["kind"] == FORK_KIND, payload["blobs"])


def _is_change(change: Any) -> bool:
    if not isinstance(change, dict) or change.keys() != {"subject", "old", "new"}:
        return False
    subject, sides = change["subject"], (change["old"], change["new"])
    named = isinstance(subject, dict) and subject.keys() == {"id", "type"}
    texts = named and all(isinstance(text, str) for text in subject.values())
    return texts and all(side is None or isinstance(side, dict) for side in sides)


# Most payloads differ from an earlier one in texts and numbers alone. ``_SHAPES`` are patterns made
# from payloads that were checked as JSON: what matches one has the same members in the same order,
# and in their places other texts and integers, each in its canonical spelling.
_SHAPES: dict[str, list[re.Pattern[str]]] = {}  # by kind
_KIND, _TEXT, _SMALL = ',"kind":"', r'"[^"\\\x00-\x1f\ud800-\udfff]*"', r"(?:0|-?[1-9]\d{0,14})"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*":|"(?:[^"\\]|\\.)*"|-?\d+', re.ASCII)
_EXACT = {name: _MEMBERS["records.jsonl"][name] for name in ("occurred_at", "parents", "v")}
_EXACT.update(actor=_actor(_TEXT), source=_source(_TEXT), stream=_TEXT, blobs=r"\[\]")
_EXACT["reason"] = f"(?:null|{_TEXT})"


def _loosened(token: str) -> str:
    if token.endswith(":"):
        return re.escape(token)  # a member's name
    return _TEXT if token[0] == '"' else _SMALL


def _form_of(value: Any) -> str:
    text, parts, end = _write(value), [], 0
    for found in _TOKEN.finditer(text):
        parts += [re.escape(text[end : found.start()]), _loosened(found[0])]
        end = found.end()
    return "".join(parts) + re.escape(text[end:])


def _learn(kind: str, payload: dict[str, Any]) -> None:
    if len(_SHAPES.get(kind, ())) < 16 and sum(map(len, _SHAPES.values())) < 200:
        forms = {name: _form_of(value) for name, value in payload.items()}
        forms.update(_EXACT, kind=re.escape(_write(kind)))
        members = ",".join(f'"{name}":{form}' for name, form in forms.items())
        shape = re.compile(r"\{" + members + r"\}", re.ASCII)
        _SHAPES.setdefault(kind, []).insert(0, shape)


# --- Ed25519 verification: RFC 8032, 5.1; points are (X, Y, Z, T) in extended coordinates ---
_P, _L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
_D, _ROOT_OF_MINUS_ONE = -121665 * pow(121666, _P - 2, _P) % _P, pow(2, (_P - 1) // 4, _P)
_NEUTRAL, _GENERATOR = (0, 1, 1, 0), b"\x58" + b"\x66" * 31


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


@lru_cache(maxsize=64)
def _multiples(raw: bytes) -> list[list[tuple]] | None:
    """At [i][d] the point times d * 16^i; None for no point, or one of small order."""
    point: Any = _point(raw)
    rows = []
    for _ in range(64 if point else 0):
        row = [_NEUTRAL]
        for _ in range(15):
            row.append(_add(row[-1], point))
        rows.append(row)
        point = _add(row[-1], point)
    small = not point or rows[0][8][0] == 0  # eight times a point of small order is neutral
    return None if small else rows


def _times(scalar: int, multiples: list[list[tuple]]) -> tuple:
    total = _NEUTRAL
    for row in multiples:
        total, scalar = _add(total, row[scalar & 15]), scalar >> 4
    return total


def ed25519_is_valid(public: bytes, message: bytes, signature: bytes) -> bool:
    """Strict: refuses s >= L, points in another spelling, and keys of small order."""
    key, generator = _multiples(public), _multiples(_GENERATOR)
    r, s = _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if not key or not generator or not r or s >= _L:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    right = _add(r, _times(int.from_bytes(digest, "little") % _L, key))
    x, y, z, _ = _times(s, generator)
    return (x * right[2] - right[0] * z) % _P == 0 == (y * right[2] - right[1] * z) % _P


# --- keys, as {(name, id): Key}, and checkpoints, which are C2SP signed notes ---
_C, _NAME = "[A-Za-z0-9+/]", r"[^\s\x00-\x1f\ufeff+]+"
_BASE64 = f"(?:{_C}{{4}})*(?:{_C}[AQgw]==|{_C}{{2}}[AEIMQUYcgkosw048]=)?"  # in its one spelling
_KEY = re.compile(rf"({_NAME})\+([0-9a-f]{{8}})\+({_BASE64})")
_QUORUM = re.compile(r"quorum ([1-9][0-9]{0,3})")
_NOTE = re.compile(
    rf"([^\x00-\x1f]+)\n(0|[1-9][0-9]{{0,15}})\n(?=.{{44}}\n)({_BASE64})\nblock (0|[1-9][0-9]"
    rf"{{0,15}}) ([0-9a-f]{{64}})\n\n((?:— {_NAME} {_BASE64}\n)+)"
)
_TRUSTED = re.compile(rf"#.*|{_NOTE.pattern}|.+")  # a comment, a note, another line
_LEDGER, _WITNESS = 1, 4  # the first byte of a key, which says what it signs
Key = namedtuple("Key", "kind raw")
Of = Tuple[str, bytes]  # name and id, by which a signature line names its key
Keys = Dict[Of, Key]
Note = namedtuple("Note", "place stated body lines")  # states origin, size, root, block, hash
Trust = namedtuple("Trust", "keys notes quorum")
Signed = namedtuple("Signed", "ledger witnesses")  # {(name, id)}, {(name, id): seconds since 1970}
NO_TRUST = Trust({}, [], 0)


def read_key(line: str, place: str) -> tuple[Of, Key]:
    found = _KEY.fullmatch(line)
    name, given_id, content = found.groups() if found else ("", "", "")
    raw = b64decode(content)
    key_id = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    fits = given_id == key_id.hex() and raw
    fits = fits and (len(raw) == 33 or raw[0] not in (_LEDGER, _WITNESS))
    require(fits, place, f"{line!r} is not a key name+id+base64, or its id is wrong")
    return (name, key_id), Key(raw[0], raw[1:])


def add_key(keys: Keys, line: str, place: str) -> None:
    """Take a key; one of another kind is passed over."""
    of, key = read_key(line, place)
    if key.kind in (_LEDGER, _WITNESS):
        require(keys.setdefault(of, key) == key, place, "holds two keys of one name and id")


def text_of(content: bytes, place: str) -> str:
    try:
        return content.decode()
    except ValueError as error:
        raise Flaw(place, "is not UTF-8") from error


def read_keys(content: bytes, place: str) -> Keys:
    """The keys of a bundle."""
    require(content.endswith(b"\n"), place, "does not end with a newline")
    keys: Keys = {}
    for number, line in enumerate(text_of(content, place)[:-1].split("\n"), 1):
        add_key(keys, line, f"{place} line {number}")
    return keys


def read_trust(path: Path) -> Trust:
    """Keys, checkpoints and quorum of a file; empty lines and lines with # are passed over."""
    keys: Keys = {}
    notes, quorum, place = [], [0], path.name
    text = text_of(path.read_bytes(), place).replace("\r\n", "\n")
    for found in _TRUSTED.finditer(text[text.startswith("\ufeff") :] + "\n"):
        line = found[0]
        if found[1]:
            notes.append(read_note(line, place))
        elif line.startswith('"'):
            notes.append(read_note(read_canonical(line.encode(), place), place))
        elif line.startswith("quorum "):
            asked = _QUORUM.fullmatch(line)
            require(asked and len(quorum) == 1, place, f"{line!r} is not the one quorum K")
            quorum.append(int(asked[1] if asked else 0))
        elif not line.startswith("#"):
            add_key(keys, line, place)
    of_ledger = any(key.kind == _LEDGER for key in keys.values())
    require(of_ledger or notes, place, "holds neither a key of the ledger nor a checkpoint")
    witnesses = {key.raw for key in keys.values() if key.kind == _WITNESS}
    few = f"asks for {quorum[-1]} of {len(witnesses)} witnesses: add their keys"
    require(len(witnesses) >= quorum[-1], place, few)
    return Trust(keys, notes, quorum[-1])


def read_note(text: Any, place: str) -> Note:
    found: Any = _NOTE.fullmatch(text) if isinstance(text, str) else None
    require(found, place, "not a signed checkpoint")
    origin, size, root, block, block_hash, signatures = found.groups()
    lines = [line.split(" ")[1:] for line in signatures[:-1].split("\n")]
    stated = (origin, int(size), b64decode(root).hex(), int(block), block_hash)
    require(max(stated[1], stated[3]) <= MAX_INTEGER, place, "states a number beyond 2^53 - 1")
    body, place = text[: found.start(6) - 1].encode(), f"{place} (checkpoint of size {size})"
    require(len(lines) <= MAX_SIGNATURES, place, f"more than {MAX_SIGNATURES} signature lines")
    signed = [(name, b64decode(content)) for name, content in lines]
    require(all(len(raw) > 4 for _, raw in signed), place, "a signature line holds no signature")
    return Note(place, stated, body, signed)


def check_signatures(note: Note, keys: Keys) -> Signed:
    """The known keys that signed; a wrong signature of a known key is a flaw."""
    signed = Signed(set(), {})
    for name, content in note.lines:
        of, signature, message = (name, content[:4]), content[4:], note.body
        if of not in keys:
            continue
        seconds = int.from_bytes(signature[:8], "big")
        if keys[of].kind == _WITNESS:
            message = b"cosignature/v1\ntime %d\n" % seconds + message
            signature = signature[8:]
        valid = ed25519_is_valid(keys[of].raw, message, signature)
        require(valid, note.place, f"the signature of {name} does not fit")
        if keys[of].kind == _WITNESS:
            signed.witnesses[of] = seconds
        else:
            signed.ledger.add(of)
    return signed


class Turns:
    """Which of the ledger's keys is in force, in the order of the checkpoints."""

    def __init__(self, trusted: set[Of]) -> None:
        self.trusted = set(trusted)
        self.turned: set[Of] = set()
        self.in_force: set[Of] = set()  # both, while it is open which one is next

    def follow(self, note: Note, signed: set[Of]) -> set[Of]:
        """The keys that could sign this checkpoint and did; trust passes on where the key turns."""
        require(len(signed) <= 2, note.place, "more than two keys of the ledger signed it")
        able = signed - self.turned
        require(able, note.place, "is signed by a key that was turned before")
        before = self.in_force & able
        if len(self.in_force) == 2 and len(before) == 1:  # this one was the next
            self.turned |= self.in_force - before
            self.in_force = before
        if len(able) == 2 and self.trusted & (before or able):
            self.trusted |= able
        if len(before) == 1 and len(able) == 2:  # the key turns here
            self.turned |= before
        self.in_force = able - self.turned
        return able


# --- the tree: RFC 6962 ---
def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows by leaves; ``waiting`` holds the left nodes, by height."""

    def __init__(self) -> None:
        self.waiting: list[bytes | None] = []

    def grow(self, hashes: list[bytes]) -> None:
        height, sha256 = 0, hashlib.sha256
        while hashes:
            if height == len(self.waiting):
                self.waiting.append(None)
            before = self.waiting[height]
            hashes = hashes if before is None else [before, *hashes]
            self.waiting[height] = hashes[-1] if len(hashes) % 2 else None
            pairs = zip(hashes[::2], hashes[1::2])
            hashes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
            height += 1

    @property
    def root(self) -> str:
        right = None
        for left in self.waiting:
            if left is not None:
                right = left if right is None else _node(left, right)
        return (hashlib.sha256().digest() if right is None else right).hex()


def root_by_proof(leaf: bytes, index: int, size: int, proof: list[str]) -> bytes:
    """The root that an inclusion proof leads to; empty when the proof has a wrong length."""
    if size <= 1 or not proof:
        return leaf if size == 1 and not proof else b""
    left, sibling = 1 << ((size - 1).bit_length() - 1), bytes.fromhex(proof[-1])
    inner = root_by_proof(leaf, index % left, left if index < left else size - left, proof[:-1])
    if not inner:
        return b""
    return _node(inner, sibling) if index < left else _node(sibling, inner)


# --- where a bundle lies: a folder, or a zip that is read in place ---
class Folder:
    """Names and contents of the files below a folder; links and devices are never opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: dict[str, int] = {}  # with sizes; -1 for what is no plain file
        folders = [""]
        for folder in folders:
            for name, mode, size in self._listed(folder):
                require(len(name) <= MAX_NAME, name, f"a path of over {MAX_NAME} characters")
                if stat.S_ISDIR(mode):
                    folders.append(f"{name}/")
                else:
                    self.names[name] = size if stat.S_ISREG(mode) else -1
                few = len(self.names) + len(folders) <= MAX_NAMES
                require(few, str(path), f"holds over {MAX_NAMES} files and folders")

    def _listed(self, folder: str) -> list[tuple[str, int, int]]:
        found = []
        with os.scandir(self.path / folder) as entries:
            for entry in entries:
                seen = entry.stat(follow_symlinks=False)
                found.append((folder + entry.name, seen.st_mode, seen.st_size))
                require(len(found) <= MAX_NAMES, str(self.path), f"holds over {MAX_NAMES} files")
        return sorted(found)

    def open(self, name: str) -> BinaryIO:
        flags = os.O_RDONLY
        for flag in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"):
            flags |= getattr(os, flag, 0)
        file = os.fdopen(os.open(self.path / name, flags), "rb", buffering=0)
        seen = os.fstat(file.fileno())
        holes = seen.st_size > (1 << 20) + 1000 * 512 * getattr(seen, "st_blocks", seen.st_size)
        require(stat.S_ISREG(seen.st_mode) and not holes, name, "is no plain file, or all holes")
        return file


class Zip:
    """The same for a zip; its files may lie in one folder. Nothing is unpacked to the disk."""

    def __init__(self, path: Path) -> None:
        size, place = path.stat().st_size, path.name
        with path.open("rb") as file:
            file.seek(max(0, size - 98))
            end = file.read()
        require(end[-22:-18] == b"PK\5\6" and end[-2:] == b"\0\0", place, "is no plain zip")
        listed = struct.unpack("<I", end[-10:-6])[0]  # bytes of its list of files
        if end[-42:-38] == b"PK\6\7":  # a large zip says it here
            stands = len(end) == 98 and end[-34:-26] == struct.pack("<Q", size - 98)
            require(stands, place, "is no plain zip")
            listed = struct.unpack("<Q", end[-58:-50])[0]
        require(listed <= MAX_MANIFEST // 2, place, "lists too many files")
        self.zip = zipfile.ZipFile(path)
        self.files = {info.orig_filename: info for info in self.zip.infolist()}
        require(len(self.files) == len(self.zip.infolist()), place, "holds a name twice")
        self._check_sizes(size, place)
        top = "" if "manifest.json" in self.files else next(iter(self.files), "").split("/")[0]
        top = f"{top}/" if top and all(name.startswith(f"{top}/") for name in self.files) else ""
        self.files = {name[len(top) :]: info for name, info in self.files.items()}
        self.names = {n: self._size(info) for n, info in self.files.items() if not n.endswith("/")}
        self.names.pop("", None)

    def _check_sizes(self, size: int, place: str) -> None:
        """No file lies over another, and together they are no bomb."""
        end, total = 0, 0
        for info in sorted(self.zip.infolist(), key=lambda info: info.header_offset):
            require(info.header_offset >= end, place, f"{info.orig_filename} overlaps another file")
            end, total = info.header_offset + 30 + info.compress_size, total + info.file_size
        bomb = total > 100 * size + (64 << 20)
        require(end <= size and not bomb, place, "would unpack to over 100 times its size")

    @staticmethod
    def _size(info: zipfile.ZipInfo) -> int:
        kind = stat.S_IFMT(info.external_attr >> 16)
        known = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        return info.file_size if known and kind in (0, stat.S_IFREG) else -1

    def open(self, name: str) -> BinaryIO:
        require(not self.files[name].flag_bits & 1, name, "is encrypted")
        return self.zip.open(self.files[name])  # type: ignore[return-value]


# --- the lines of a file ---
class Lines:
    """Reads a file by parts of whole lines; ``read`` makes a value of each, or raises Flaw."""

    def __init__(self, name: str, file: BinaryIO, read: Callable, check: Check) -> None:
        self.name, self.digest = name, hashlib.sha256()
        self.number, self.at = 0, 0  # lines taken, of all and of this part
        self.lines: list[bytes] = []
        self.values: list[Any] = []
        self.flaw: str | None = None
        self.parts = self._read(file, read, check)

    def _parts(self, file: BinaryIO, meter: Callable[[int], None]) -> Iterator[bytes]:
        rest = b""
        with closing(file):
            while chunk := file.read(PART):
                self.digest.update(chunk)
                meter(len(chunk))
                end = chunk.rfind(b"\n") + 1
                if end:
                    yield rest + chunk[:end]
                rest = chunk[end:] if end else rest + chunk
                if len(rest) > MAX_LINE:
                    break
        if rest:
            yield rest

    def _read(self, file: BinaryIO, read: Callable, check: Check) -> Iterator[tuple]:
        """(part, values, flaw) of each part; with helpers, payloads a few parts ahead."""
        ahead: deque = deque()
        for part in self._parts(file, check.meter):
            if check.pool is None or read is not read_payload:
                yield (part, *read_part(part, read))
                continue
            ahead.append((part, check.pool.apply_async(read_part, (part, read))))
            if len(ahead) > 2 * check.jobs:
                part, answer = ahead.popleft()
                yield (part, *answer.get())
        for part, answer in ahead:
            yield (part, *answer.get())

    def _is_at_end(self) -> bool:
        """Go to the next part where this one is used up; raises Flaw at a flawed line."""
        while self.at == len(self.values):
            if self.flaw is not None:
                raise Flaw(f"{self.name} line {self.number + 1}", self.flaw)
            part = next(self.parts, None)
            if part is None:
                return True
            self.lines, (_, self.values, self.flaw), self.at = part[0].split(b"\n"), part, 0
        return False

    def peek(self) -> Any:
        """The value of the next line, or None at the end."""
        return None if self._is_at_end() else self.values[self.at]

    def take(self, most: int, wanted: str) -> tuple[int, list[bytes], list[Any]]:
        """(number of the first, lines, values) of some lines, at least one, and no more than most.

        ``wanted`` says what is missing where the file has ended.
        """
        at_end = self._is_at_end()
        require(not at_end, f"{self.name}, at its end", f"the file ends here, {wanted} is missing")
        span, first = slice(self.at, min(self.at + most, len(self.values))), self.number + 1
        self.number, self.at = self.number + span.stop - span.start, span.stop
        return first, self.lines[span], self.values[span]

    def require_end(self) -> None:
        more = f"{self.name} line {self.number + 1}"
        require(self._is_at_end(), more, "belongs to no block of the bundle")


def read_part(part: bytes, read: Callable) -> tuple[list[Any], str | None]:
    """The values of the lines before the first flawed one, and what is wrong with that one."""
    values: list[Any] = []
    lines = part.split(b"\n")
    rest = lines.pop()
    try:
        values.extend(map(read, lines))
    except Flaw as flaw:
        return values, flaw.args[1]
    return values, "the line is cut, or too long" if rest else None


def _joined(lines: list[bytes]) -> bytes:
    return b"\n".join(lines) + b"\n"


class Runs:
    """The bytes of a file in runs of lines, for their digests alone."""

    def __init__(self, name: str, file: BinaryIO, meter: Callable[[int], None]) -> None:
        self.name, self.file, self.meter, self.number = name, file, meter, 0
        self.part, self.at = b"", 0
        self.length = 500.0  # bytes of a line, about

    def take(self, count: int, wanted: str) -> tuple[Any, list[memoryview]]:
        """The next lines: a digest that has taken in the first of them, and the rest.

        Raises Flaw where there are not so many.
        """
        digest, run, left = hashlib.sha256(), [], count
        while left:
            stop, found = self._stop(left)
            if found:
                run.append(memoryview(self.part)[self.at : stop])
                self.length = (stop - self.at) / found
                left, self.number, self.at = left - found, self.number + found, stop
            else:
                more = self._fill()
                place = f"{self.name}, at its end"
                require(more, place, f"the file ends here, {wanted} is missing")
            if len(run) > 8:
                digest.update(run.pop(0))
        return digest, run

    def _stop(self, count: int) -> tuple[int, int]:
        """Where some of the next lines end, and how many they are: up to ``count``."""
        part, stop, found = self.part, self.at, 0
        while count - found > 16 and stop < len(part):  # jump, and count what was jumped over
            far = min(len(part), stop + 1 + int(self.length * (count - found) * 0.98))
            found, stop = found + part.count(b"\n", stop, far), far
        while found < count and (newline := part.find(b"\n", stop)) >= 0:
            found, stop = found + 1, newline + 1
        stop = part.rfind(b"\n", self.at, stop) + 1 if found else self.at
        for _ in range(found - count):  # jumped too far
            stop = part.rfind(b"\n", self.at, stop - 1) + 1
        return stop, min(found, count)

    def _fill(self) -> int:
        rest = self.part[self.at :]
        require(len(rest) <= MAX_LINE, f"{self.name} line {self.number + 1}", "is too long")
        more = self.file.read(PART)
        self.part, self.at = rest + more, 0
        self.meter(len(more))
        return len(more)

    def require_end(self) -> None:
        more = f"{self.name} line {self.number + 1}"
        is_at_end = self.at == len(self.part) and not self._fill()
        require(is_at_end, more, "belongs to no block of the bundle")


class Hashing:
    """Compares digests in order; long runs are hashed by other threads meanwhile."""

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor  # here, since most calls need none

        self.threads = ThreadPoolExecutor(2)
        self.waiting: deque = deque()

    def compare(self, digest: Any, run: list[memoryview], listed: str, *flaw: str) -> None:
        if sum(map(len, run)) < 1 << 16:
            self.waiting.append((_hashed(digest, run), listed, flaw))
        else:
            self.waiting.append((self.threads.submit(_hashed, digest, run), listed, flaw))
        while len(self.waiting) > 16:
            self._compare_first()

    def _compare_first(self) -> None:
        digest, listed, flaw = self.waiting.popleft()
        found = digest if isinstance(digest, str) else digest.result()
        require(found == listed, *flaw)

    def require_end(self) -> None:
        while self.waiting:
            self._compare_first()
        self.threads.shutdown()


def _hashed(digest: Any, run: list[memoryview]) -> str:
    for view in run:
        digest.update(view)
    return digest.hexdigest()


# --- the bundle ---
_READERS: dict[str, Callable] = {
    "index.jsonl": read_entry,
    "records.jsonl": read_payload,
    "proofs.jsonl": read_proof,
}
_OTHERS = re.compile(
    r"blobs/[0-9a-f]{64}|tokens/(?:0|[1-9][0-9]{0,15})\.(?:txt|tsr)|fields\.md|README\.txt"
    r"|copies(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)+|verifier\.(?:py|html)"
)
_ENDS = "tree_size is not where blocks, checkpoints end"
_NOT_JUDGED = re.compile(r"tokens/.*\.tsr|copies/.*")
_START = Header(0, 0, 0, "", -1, "", "", "", "", "", "", 0, 0, 0, 0, 1, "0" * 64)


def log_of(origin: str, epoch: int) -> str:
    """The first line of the checkpoints of an epoch."""
    return f"{origin}/epoch/{epoch}" if epoch else origin


class Check:
    """One pass over a bundle; every step raises Flaw at the first thing that is wrong."""

    def __init__(self, bundle: Folder | Zip, trust: Trust, *, is_quick: bool, jobs: int) -> None:
        self.bundle, self.trust, self.jobs = bundle, trust, jobs
        self.pool: Any = None
        self.meter: Callable[[int], None] = lambda read: None
        raw, place = self.content("manifest.json", MAX_MANIFEST), "manifest.json"
        listed = f"{hashlib.sha256(raw).hexdigest()}  {place}\n".encode()
        same = self.content("manifest.sha256", 1000) == listed
        require(same, "manifest.sha256", "is not the digest of manifest.json")
        parts = raw.count(b",") + raw.count(b"{") + raw.count(b"[")  # small things cost most memory
        require(parts <= MAX_NAMES, place, f"lists over {MAX_NAMES} things")
        manifest = read_canonical(raw, place, place)
        self.files, self.scope = manifest["files"], manifest["scope"]
        self.origin, self.size = manifest["origin"], manifest["tree_size"]
        self.is_quick = is_quick and self.scope == "complete"
        is_selection = self.scope == "selection"
        unfiltered = is_selection or not manifest["filters"]
        require(unfiltered, place, "a complete bundle has no filters")
        names = [*_READERS][: 3 if is_selection else 2]
        self.check_names({*names, "blocks.jsonl", "checkpoints.jsonl", "keys.txt"})
        self.keys = read_keys(self.content("keys.txt", MAX_LINE), "keys.txt")
        known = {**self.keys, **trust.keys}
        one = all(trust.keys.get(of, key) == key for of, key in self.keys.items())
        require(one, "keys.txt", "has another key under the name and id of a trusted one")
        self.known = {  # a key of the ledger bears its name
            of: key for of, key in known.items() if key.kind == _WITNESS or of[0] == self.origin
        }
        self.turns = Turns(self.trusted_keys())
        self.is_trust_given = bool(trust.keys or trust.notes)
        self.final: Any = (
            self.last_note() if self.scope == "selection" else None
        )  # proofs lead here

    def content(self, name: str, most: int) -> bytes:
        """A small file."""
        require(self.bundle.names.get(name, -1) >= 0, name, "is missing, or no plain file")
        with closing(self.bundle.open(name)) as file:
            content = file.read(most + 1)
        require(len(content) <= most, name, f"is longer than {most} bytes")
        return content

    def check_names(self, wanted: set[str]) -> None:
        """Exactly the files of the manifest are there, and each has a place in the format."""
        present = self.bundle.names.keys() - {"manifest.json", "manifest.sha256"}
        for name in sorted(present | self.files.keys() | wanted):
            require(name in self.files, name, "is not listed in manifest.json")
            there = self.bundle.names.get(name, -1) >= 0
            require(there, name, "is missing, or no plain file")
            known = name in wanted or _OTHERS.fullmatch(name)
            require(known, name, "has no place in a bundle of this version")

    def trusted_keys(self) -> set[Of]:
        """The ledger's keys in the trust, or else those that signed the checkpoints in it."""
        trusted = {of for of, key in self.trust.keys.items() if key.kind == _LEDGER}
        for note in () if trusted else self.trust.notes:
            trusted |= check_signatures(note, self.known).ledger & self.keys.keys()
        return trusted

    def last_note(self) -> Note:
        """The last checkpoint, to whose root all proofs lead."""
        name, tail, lines = "checkpoints.jsonl", b"", 0
        with closing(self.bundle.open(name)) as file:
            while chunk := file.read(PART):
                tail, lines = (tail + chunk)[-MAX_LINE:], lines + chunk.count(b"\n")
        last, place = tail.rstrip(b"\n").rpartition(b"\n")[2], f"{name} line {max(lines, 1)}"
        note = read_note(read_canonical(last, place), place)
        check_signatures(note, self.known)
        require(note.stated[1] == self.size, note.place, _ENDS)
        return note

    def run(self) -> Result:
        """Check it all."""
        header, names = _START, [*_READERS]
        self.earlier: dict[int, list[Note]] = {}
        for note in self.trust.notes:
            self.earlier.setdefault(note.stated[3], []).append(note)
        self.tokens = {name for name in self.files if re.fullmatch(r"tokens/.*\.txt", name)}
        self.tree, self.records, self.epochs = Tree(), 0, 1
        self.last: Any = None  # the newest checkpoint that was met
        self.following: Note | None = None
        self.blocks = self.lines("blocks.jsonl", read_header)
        self.notes = self.lines("checkpoints.jsonl", read_text)
        judged: list[Any] = []
        opened: list[Any]
        if self.is_quick:
            self.hashing = Hashing()
            opened = [Runs(name, self.bundle.open(name), self.meter) for name in names[:2]]
            judged.append(self.hashing)
        else:
            opened = [self.lines(name, _READERS[name]) for name in names if name in self.files]
        judged += opened
        self.index, self.payloads, self.proofs = [*opened, None][:3]
        while self.blocks.peek() is not None:
            header = self.check_block(header)
        self.check_end(header, judged)
        judged += [self.blocks, self.notes]
        self.check_digests([each for each in judged if isinstance(each, Lines)])
        return self.result(header)

    def lines(self, name: str, read: Callable) -> Lines:
        return Lines(name, self.bundle.open(name), read, self)

    def check_block(self, before: Header) -> Header:
        """Check a header against the one before it, then its records and checkpoints."""
        line, _, (header,) = self.blocks.take(1, "a block")
        place = f"blocks.jsonl line {line} (block {header.number})"
        opens = header.epoch == before.epoch + 1 and before.number >= 0
        self.check_header(header, before, opens, place)
        end, shown = header.tree_size, (self.index, self.proofs)
        if self.is_quick:
            self.check_runs(header, place)
        elif self.scope == "complete":
            self.check_entries(header, opens, place)
            require(self.tree.root == header.root, place, "root is not that of the leaves so far")
        elif any((following := file.peek()) and following.sequence < end for file in shown):
            self.check_entries(header, opens, place)
        self.epochs += opens
        self.check_notes(header)
        return header

    def check_header(self, header: Header, before: Header, opens: bool, place: str) -> None:
        must = [
            ("origin", self.origin, header.origin),
            ("number", before.number + 1, header.number),
            ("previous", before.hash, header.previous),
            ("first_sequence", before.first_sequence + before.count, header.first_sequence),
            ("tree_size", header.first_sequence + header.count, header.tree_size),
        ]
        if not opens:
            must.append(("epoch", before.epoch, header.epoch))
        if not opens and before.number >= 0:  # one epoch lives in one cluster
            must.append(("system_identifier", before.system_identifier, header.system_identifier))
            must.append(("timeline", before.timeline, header.timeline))
            must.append(("transaction_from", before.transaction_below, header.transaction_from))
        for name, value, found in must:
            if found != value:
                raise Flaw(place, f"{name} is {found}, but must be {value}")
        require(header.sealed_at >= before.sealed_at, place, "is sealed before the last one")
        rises = header.transaction_from < header.transaction_below
        require(rises, place, "transaction_below is not above transaction_from")

    def check_runs(self, header: Header, place: str) -> None:
        """Check the digests of a block, and no line of it."""
        wanted = f"a line of block {header.number}"
        for run, name, listed in (
            (self.index, "index_digest", header.index_digest),
            (self.payloads, "records_digest", header.records_digest),
        ):
            flaw = (place, f"{name} does not fit {run.name}")
            self.hashing.compare(*run.take(header.count, wanted), listed, *flaw)
        self.records += header.count

    def check_entries(self, header: Header, opens: bool, block: str) -> None:
        """Check the index lines of one block, and those of its records that are in the bundle."""
        index, self.run_digest, self.shown, self.forks = hashlib.sha256(), hashlib.sha256(), 0, 0
        sequence, order = header.first_sequence, (-1, "")
        while left := header.tree_size - sequence:
            wanted = f"sequence {sequence}"
            line, lines, entries = self.index.take(min(left, BATCH), wanted)
            flaw = self.flaw_of_order(entries, order, header, line, sequence)
            if flaw:  # what comes before it is checked first
                entries = entries[: flaw[0]]
            if self.scope == "complete":
                self.check_payloads([entry.leaf for entry in entries], sequence, opens)
                self.tree.grow([bytes.fromhex(entry.leaf) for entry in entries])
            else:
                self.check_selected(entries, opens)
            if flaw:
                raise flaw[1]
            index.update(_joined(lines))
            sequence, order = sequence + len(entries), entries[-1].order
        require(index.hexdigest() == header.index_digest, block, "index_digest does not fit")
        is_whole, digest = self.shown == header.count, self.run_digest.hexdigest()
        fits = not is_whole or digest == header.records_digest
        require(fits, block, "records_digest does not fit records.jsonl")
        require(self.shown, block, "has index lines, but no record, in the bundle")
        forks = self.forks or not (opens and is_whole)
        require(forks, block, f"opens epoch {header.epoch}, but holds no fork record")

    def flaw_of_order(
        self, entries: list[Entry], order: tuple, header: Header, line: int, first: int
    ) -> tuple[int, Flaw] | None:
        """The first entry out of sequence, or of the order or range of transactions."""
        low, high = header.transaction_from, header.transaction_below
        orders = [order, *(entry.order for entry in entries)]
        if (
            [entry.sequence for entry in entries] == [*range(first, first + len(entries))]
            and all(map(lt, orders, orders[1:]))
            and low <= orders[1][0] <= orders[-1][0] < high
        ):
            return None
        for at, entry in enumerate(entries):
            place = f"index.jsonl line {line + at}"
            if entry.sequence != first + at:
                return at, Flaw(place, f"sequence {first + at} must stand here")
            if not low <= entry.order[0] < high:
                return at, Flaw(place, "its transaction is outside its block's range")
            if not orders[at] < entry.order:
                return at, Flaw(place, "is not in the order of (transaction, id)")
        return None

    def check_payloads(self, leaves: list[str], sequence: int, opens: bool) -> None:
        """Check the next records against the leaves that they must have."""
        while leaves:
            wanted = f"the record with sequence {sequence}"
            line, lines, payloads = self.payloads.take(len(leaves), wanted)
            for at, (leaf, payload) in enumerate(zip(leaves, payloads)):
                if payload.leaf == leaf and not payload.opens and not payload.blobs:
                    continue
                place = f"records.jsonl line {line + at} (sequence {sequence + at})"
                fits = payload.leaf == leaf
                require(fits, place, "payload does not match its leaf in index.jsonl")
                self.forks += payload.opens
                belongs = not payload.opens or (opens and self.forks == 1)
                require(belongs, place, "is a fork record, but opens no epoch")
                for blob in payload.blobs:
                    there = f"blobs/{blob}" in self.files
                    require(there, place, f"cites blob {blob}, which is missing")
            self.run_digest.update(_joined(lines))
            leaves, sequence = leaves[len(lines) :], sequence + len(lines)
            self.shown, self.records = self.shown + len(lines), self.records + len(lines)

    def check_selected(self, entries: list[Entry], opens: bool) -> None:
        """Check those records that a proof leads to the root of the last checkpoint."""
        for sequence, leaf, _ in entries:
            following = self.proofs.peek()
            if following is None or following.sequence > sequence:
                continue
            place = f"proofs.jsonl line {self.proofs.number + 1}"
            require(following.sequence == sequence, place, "is not in the order of the records")
            self.check_payloads([leaf], sequence, opens)
            line, _, (proof,) = self.proofs.take(1, "a proof")
            root = root_by_proof(bytes.fromhex(leaf), sequence, self.size, proof.hashes).hex()
            fits = len(proof.hashes) <= 64 and root == self.final.stated[2]
            require(fits, f"proofs.jsonl line {line}", "does not lead to the root")

    def check_notes(self, header: Header) -> None:
        """Check the checkpoints, of the bundle and trusted ones, that name this block."""
        log = log_of(self.origin, header.epoch)
        stated = (log, header.tree_size, header.root, header.number, header.hash)
        for note in self.earlier.pop(header.number, ()):
            require(note.stated == stated, note.place, "trusted, but not a prefix of this ledger")
            signed = check_signatures(note, self.known).ledger
            if signed:
                self.turns.follow(note, signed)
        while (following := self.next_note()) and following.stated[3] <= header.number:
            note = following
            require(note.stated == stated, note.place, f"is not about block {header.number}")
            once = self.last is None or self.last.stated != stated
            require(once, note.place, f"is a second one of block {header.number}")
            self.check_note(note)

    def next_note(self) -> Note | None:
        """The next checkpoint, read once."""
        if self.following is None and (text := self.notes.peek()) is not None:
            self.following = read_note(text, f"checkpoints.jsonl line {self.notes.number + 1}")
            self.notes.take(1, "a checkpoint")
        return self.following

    def check_note(self, note: Note) -> None:
        self.last, self.following = note, None
        self.signed = check_signatures(note, self.known)
        ours = self.signed.ledger
        require(ours & self.keys.keys(), note.place, "is signed by no key of keys.txt")
        self.able = self.turns.follow(note, ours)
        token = f"tokens/{note.stated[1]}.txt"
        if token in self.tokens:
            self.tokens.remove(token)
            same = self.content(token, MAX_LINE) == note.body
            require(same, token, "is not the body of the checkpoint of this size")

    def check_end(self, header: Header, files: list[Any]) -> None:
        require(header.number >= 0, "blocks.jsonl", "holds no block")
        for file in files:
            file.require_end()
        more = self.next_note()
        require(more is None, more.place if more else "", "belongs to no block of the bundle")
        require(self.last, "checkpoints.jsonl", "holds no checkpoint of these blocks")
        ends = (self.last.stated[1], self.size) == (header.tree_size, header.tree_size)
        require(ends, self.last.place, _ENDS)
        for note in (note for notes in self.earlier.values() for note in notes):
            raise Flaw(note.place, "trusted, but the bundle ends before it: records were cut off")
        for token in sorted(self.tokens):
            raise Flaw(token, "is the body of no checkpoint of the bundle")
        self.proved_by = self.able & self.turns.trusted
        proved = self.proved_by or not self.is_trust_given
        require(proved, self.last.place, "no trusted key signed it")
        witnesses = self.signed.witnesses.items()
        self.cosigned = {of: at for of, at in witnesses if of in self.trust.keys}
        met, quorum = len({self.known[of].raw for of in self.cosigned}), self.trust.quorum
        few = f"is cosigned by {met} of the trusted witnesses, but the quorum is {quorum}"
        require(met >= quorum, self.last.place, few)

    def check_digests(self, read: list[Lines]) -> None:
        """Compare each file with the manifest; the ones that were read have their digests."""
        known = {lines.name: lines.digest.hexdigest() for lines in read}
        skipped = {"records.jsonl", "index.jsonl"} if self.is_quick else set()
        for name in sorted(self.files.keys() - skipped):
            digest = known.get(name) or self.digest_of(name)
            same = digest == self.files[name]
            require(same, name, "does not have the digest in manifest.json")
            named = not name.startswith("blobs/") or name == f"blobs/{digest}"
            require(named, name, "is not named by its digest")

    def digest_of(self, name: str) -> str:
        digest, buffer = hashlib.sha256(), memoryview(bytearray(PART))
        with closing(self.bundle.open(name)) as file:
            while size := file.readinto(buffer):  # type: ignore[attr-defined]
                digest.update(buffer[:size])
                self.meter(size)
        return digest.hexdigest()

    def result(self, header: Header) -> Result:
        by = sorted({name for name, _ in self.proved_by})
        kept = [name for name in sorted(self.files) if _NOT_JUDGED.fullmatch(name)]
        blocks, facts = header.number + 1, {"scope": self.scope, "records": self.records}
        facts.update(blocks=blocks, tree_size=self.size, proved_by=by, not_judged=kept)
        facts.update(epochs=self.epochs, is_quick=self.is_quick)
        facts["keys"] = sorted(f"{name}+{key_id.hex()}" for name, key_id in self.proved_by)
        facts["cosigned"] = [
            {"witness": f"{name}+{key_id.hex()}", "at": moment(seconds)}
            for (name, key_id), seconds in sorted(self.cosigned.items())
        ]
        text = "".join(f"digest fits, content not judged: {name}\n" for name in kept)
        for each in facts["cosigned"]:
            text += f"cosigned {each['at']} by {each['witness']}\n"
        text += f"{self.scope}: {self.records} records, {blocks} blocks, tree size {self.size}: "
        if self.is_quick:
            text += "QUICK, only digests, chain and checkpoints were checked, no record was read: "
        text += f"origin proved by key {', '.join(by)}" if by else "consistent, origin not proved"
        return Result(True, text, facts)


# --- called as a program ---
def moment(seconds: int) -> str:
    """A witness's time as UTC; a number where it is beyond the calendar."""
    if seconds >= 253_402_300_800:
        return str(seconds)
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def verify(
    path: Path | str, trust: Path | str | None = None, *, is_quick: bool = False, jobs: int = 1
) -> Result:
    """Check a bundle. Raises Flaw, OSError or ValueError if the file ``trust`` cannot be used."""
    trusted = read_trust(Path(trust)) if trust else NO_TRUST
    place = str(path)
    try:
        bundle = Folder(Path(path)) if Path(path).is_dir() else Zip(Path(path))
        check = Check(bundle, trusted, is_quick=is_quick, jobs=jobs)
        check.meter = Meter(sum(bundle.names.values()))
        if jobs == 1:
            return check.run()
        from multiprocessing import Pool  # here, since most calls need none

        with Pool(jobs) as check.pool:
            return check.run()
    except Flaw as error:
        place, what = error.args
    except _UNREADABLE as error:
        what = f"cannot be read: {error}"
    return Result(False, f"FLAW {place}: {what}", {"place": place, "what": what})


class Meter:
    """Shows on a terminal how much was read, once it takes longer than two seconds."""

    def __init__(self, total: int) -> None:
        self.total, self.read, self.start = max(total, 1), 0, time.monotonic()
        self.next = self.start + 2 if sys.stderr is not None and sys.stderr.isatty() else None

    def __call__(self, read: int) -> None:
        self.read += read
        if self.next is not None and (now := time.monotonic()) >= self.next:
            self.next, share = now + 0.5, self.read / self.total
            left = (now - self.start) * (1 - share) / share
            sys.stderr.write(f"\r{share:4.0%} of {self.total >> 20} MiB, {left:.0f} s left  \r")
            sys.stderr.flush()


def printable(text: str) -> str:
    """The text in ASCII, so that no bundle can steer a terminal, whatever its encoding."""
    shown = (c if c == "\n" or " " <= c <= "~" else ascii(c)[1:-1] for c in text[:100_000])
    return "".join(shown)


def main() -> int:
    parser = argparse.ArgumentParser(description="Check an exported bundle of the record store.")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a folder, or a .zip of one")
    parser.add_argument("--trust", type=Path, metavar="FILE", help="keys, checkpoints, quorum")
    parser.add_argument("--quick", action="store_true", help="digests, chain, checkpoints alone")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that read")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    given = parser.parse_args()
    if not 1 <= given.jobs <= 64:
        parser.error("--jobs is from 1 to 64")
    try:
        given.bundle.stat()
        result = verify(given.bundle, given.trust, is_quick=given.quick, jobs=given.jobs)
    except (Flaw, OSError, ValueError) as error:
        parser.error(printable(str(error)))
    facts = {"ok": result.ok, **result.facts}
    print(json.dumps(facts) if given.json else printable(result.text))
    return 0 if result.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
