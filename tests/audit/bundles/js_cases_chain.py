"""Cases of the verifier page: headers, epochs, index lines, payloads."""

import json
from typing import Any

from tests.audit.bundles import js_ledger as made
from tests.audit.bundles.js_cases import (
    FORK,
    FORKED,
    block,
    both,
    entry,
    header,
    index,
    planned,
    select,
)
from tests.audit.bundles.js_ledger import payload

HEADERS = [
    planned("an honest complete bundle", None, lambda plan: None),
    planned("an honest selection", None, select(1, 5, 10)),
    planned("a selection of nothing", None, select()),
    planned("another origin", "block 2", header(2, origin="other")),
    planned("a number left out", "number is 3 where 2 is due", header(2, number=3)),
    planned("a wrong previous", "previous is", header(2, previous="1" * 64)),
    planned("a wrong first sequence", "first_sequence is 5", header(2, first_sequence=5)),
    planned("a wrong tree size", "tree_size is 7", header(2, tree_size=7)),
    planned("a wrong root", "root is not that of the leaves", header(2, root="1" * 64)),
    planned(
        "a wrong records digest", "records_digest does not fit", header(2, records_digest="1" * 64)
    ),
    planned("a wrong index digest", "index_digest does not fit", header(2, index_digest="1" * 64)),
    planned(
        "a block sealed before the one before",
        "was sealed before",
        block(2, sealed_at=made.time_of(0)),
    ),
    planned("ranges that leave a gap", "do not touch", block(2, first="116")),
    planned("ranges that overlap", "do not touch", block(2, first="114")),
    planned("another cluster without an epoch", "system_identifier changes", block(2, system="1")),
    planned("another timeline without an epoch", "timeline changes", block(2, timeline=2)),
    planned("an unknown member", "unknown member extra", header(2, extra=1)),
    planned("another version", "v is 2", header(2, v=2)),
    planned(
        "a fraction of a second too short",
        "sealed_at is no time",
        block(2, sealed_at="2026-01-31T10:00:09.00000Z"),
    ),
    planned(
        "a day that never was",
        None,
        block(3, sealed_at="2026-02-30T10:00:09.000000Z"),
    ),
    planned(
        "a root in capitals",
        "root is no hash",
        lambda plan: plan.blocks[2].header.update(root="A" * 64),
    ),
    planned("a new epoch", None, FORKED),
    planned(
        "an epoch without a fork record",
        "(block 2): opens epoch 1, but holds no fork record",
        both(FORKED, entry(2, 0, payload=payload(4))),
    ),
    planned(
        "an epoch with two fork records",
        "records.jsonl line 6 (sequence 5, block 2): is a fork record",
        both(FORKED, entry(2, 1, payload=FORK)),
    ),
    planned(
        "a fork record without an epoch",
        "is a fork record, but opens no",
        entry(2, 0, payload=FORK),
    ),
    planned("an epoch from the start", "epoch 1 does not follow 0", block(0, epoch=1)),
    planned(
        "an epoch left out",
        "epoch 2 does not follow 0",
        both(FORKED, block(2, epoch=2), block(3, epoch=2)),
    ),
    planned("an epoch that falls", "epoch 0 does not follow 1", both(FORKED, block(3, epoch=0))),
    planned("a fork record shown by a selection", None, both(FORKED, select(4))),
    planned(
        "a stray fork record in a selection",
        "is a fork record, but opens no",
        both(entry(2, 0, payload=FORK), select(4)),
    ),
]

ABOUT = {"address": None, "process": "p", "session": None, "software": "1"}
PERSON = {"id": "019c1355-0000-4000-8000-000000000000", "kind": "person", "name": 'P "\\'}
SUBJECT = {"id": "S-1", "type": "sample"}
CHANGE = {"subject": SUBJECT, "old": None, "new": {"any": [1, {"thing": None}]}}
MALFORMED: list[tuple[str, str, Any]] = [  # case, member, what stands there
    ("an actor that is a text", "actor", "connector"),
    ("an actor without a name", "actor", {"id": "c", "kind": "process"}),
    ("an actor with a member more", "actor", {**PERSON, "role": "qa"}),
    ("an actor of an unknown kind", "actor", {**PERSON, "kind": "robot"}),
    ("an actor whose name is null", "actor", {**PERSON, "name": None}),
    ("a person without a UUID", "actor", {**PERSON, "id": "7"}),
    ("a source that is null", "source", None),
    ("a source without a session", "source", {"address": None, "process": "p", "software": "1"}),
    ("a source with a member more", "source", {**ABOUT, "door": None}),
    ("a source whose process is a number", "source", {**ABOUT, "process": 7}),
    ("parents that are null", "parents", None),
    ("a parent in capitals", "parents", ["A" * 64]),
    ("a parent too short", "parents", ["1" * 63]),
    ("blobs that are an object", "blobs", {}),
    ("a blob too long", "blobs", ["1" * 65]),
    ("a time without a fraction", "occurred_at", "2026-01-31T10:00:00Z"),
    ("a time of another zone", "occurred_at", "2026-01-31T10:00:00.000000+00:00"),
    ("a time that is null", "occurred_at", None),
    ("a time in other digits", "occurred_at", "٢٠٢٦-01-31T10:00:00.000000Z"),
    ("a stream that is null", "stream", None),
    ("a stream that is a list", "stream", []),
    ("a kind that is null", "kind", None),
    ("changes that are null", "changes", None),
    ("changes that are an object", "changes", {}),
    ("a change that is null", "changes", [None]),
    ("a change without an old side", "changes", [{"subject": SUBJECT, "new": {}}]),
    ("a change with a member more", "changes", [{**CHANGE, "why": None}]),
    ("a change whose old side is a text", "changes", [{**CHANGE, "old": "x"}]),
    ("a change whose new side is a list", "changes", [{**CHANGE, "new": []}]),
    ("a change of nothing", "changes", [{**CHANGE, "subject": None}]),
    ("a subject with a number", "changes", [{**CHANGE, "subject": {**SUBJECT, "id": 7}}]),
    ("a subject with a null", "changes", [CHANGE, {**CHANGE, "subject": {**SUBJECT, "id": None}}]),
    ("a subject with a member more", "changes", [{**CHANGE, "subject": {**SUBJECT, "x": "x"}}]),
    ("a reason that is a number", "reason", 1),
    ("a reason that is false", "reason", False),
    ("data that is a list", "data", []),
    ("data that is a text", "data", "x"),
]
WELL_FORMED: list[tuple[str, dict[str, Any]]] = [
    ("a person with a UUID and an odd name", {"actor": PERSON}),
    ("an operating system's user", {"actor": {**PERSON, "kind": "os_user", "id": "root"}}),
    ("a payload of empty texts", {"stream": "", "kind": "", "reason": ""}),
    ("a day in a thirteenth month", {"occurred_at": "2026-13-32T25:61:61.000000Z"}),
    ("a text of every script", {"reason": "\u0000\u001f\u007f\u2028\ufeff\ud7ff\ue000\U0010ffff"}),
    ("several changes", {"changes": [CHANGE, {**CHANGE, "old": {}, "new": None}]}),
    ("a source full of texts", {"source": dict.fromkeys(ABOUT, "\n")}),
]

RECORDS = [
    planned(
        "a transaction out of range",
        "transaction 114 is not of block 2",
        entry(2, 0, transaction="114"),
    ),
    planned(
        "a transaction at the open end",
        "transaction 125 is not of block 2",
        entry(2, 1, transaction="125"),
    ),
    planned(
        "transactions as texts, not numbers",
        None,
        both(
            block(0, first="0", below="100"),
            block(1, first="100", below="115"),
            entry(0, 0, transaction="99"),
            *[entry(1, i, transaction="100") for i in range(3)],
        ),
    ),
    planned(
        "transactions out of order",
        "is not after the line before",
        both(entry(3, 0, transaction="127"), entry(3, 1, transaction="126")),
    ),
    planned(
        "ids out of order",
        "is not after the line before",
        entry(3, 1, id="019c1355-0000-7000-8000-000000000000"),
    ),
    planned(
        "an id twice",
        "is not after the line before",
        entry(3, 1, id="019c1355-0006-7000-8000-000000000006"),
    ),
    planned(
        "an id of another version",
        "no version 7 UUID",
        entry(2, 0, id="019c1355-0004-4000-8000-000000000004"),
    ),
    planned("a leading zero", "no decimal number", entry(2, 0, transaction="0116")),
    planned("a transaction as a number", "no decimal number", index(2, 0, transaction=115)),
    planned("a sequence that jumps", "says sequence 9 where 4 is due", index(2, 0, sequence=9)),
    planned("a foreign leaf", "its leaf differs", index(2, 0, leaf="1" * 64)),
    planned(
        "a payload with spaces",
        "not canonical JSON",
        entry(2, 0, payload=json.dumps(payload(4)).encode()),
    ),
    planned(
        "a member twice",
        "stands twice",
        entry(2, 0, payload=made.canonical(payload(4)).replace(b'"v":1', b'"v":1,"v":1')),
    ),
    planned(
        "members out of order",
        "is out of order",
        entry(
            2,
            0,
            payload=made.canonical(payload(4))
            .replace(b'"data":null,', b"")
            .replace(b',"v":1', b',"v":1,"data":null'),
        ),
    ),
    planned(
        "a floating-point number",
        "not a plain integer",
        entry(2, 0, payload=made.canonical(payload(4)).replace(b'"n":4', b'"n":4.5')),
    ),
    planned(
        "an escape too many",
        "the escape",
        entry(2, 0, payload=made.canonical(payload(4)).replace(b"batch/B", rb"batch\/B")),
    ),
    planned(
        "no UTF-8",
        "is not UTF-8",
        entry(2, 0, payload=made.canonical(payload(4)).replace(b"batch", b"b\xed\xa0\x80")),
    ),
    planned("a list for a payload", "is no JSON object", entry(2, 0, payload=b"[]")),
    planned("an unknown version", "v is 2", entry(2, 0, payload=payload(4, v=2))),
    planned(
        "a payload at the limit",
        None,
        entry(
            2,
            0,
            payload=payload(4, reason="x" * (32768 - len(made.canonical(payload(4, reason=""))))),
        ),
    ),
    planned(
        "a payload beyond the limit",
        "longer than 32768 bytes",
        entry(
            2,
            0,
            payload=payload(4, reason="x" * (32769 - len(made.canonical(payload(4, reason=""))))),
        ),
    ),
    planned(
        "64 lists open",
        None,
        entry(2, 0, payload=payload(4, data={"deep": json.loads("[" * 62 + "]" * 62)})),
    ),
    planned(
        "65 lists open",
        "more than 64",
        entry(2, 0, payload=payload(4, data={"deep": json.loads("[" * 63 + "]" * 63)})),
    ),
    planned(
        "a cited blob",
        None,
        both(
            entry(2, 0, payload=payload(4, blobs=[made.sha256(b"b").hex()])),
            lambda plan: plan.blobs.append(b"b"),
        ),
    ),
    planned(
        "a cited blob that is not there",
        "cites blob",
        entry(2, 0, payload=payload(4, blobs=["1" * 64])),
    ),
    planned(
        "a payload of other members",
        "has the unknown member more",
        entry(2, 0, payload=payload(4, more=1)),
    ),
    planned(
        "a member called __proto__",
        None,
        entry(2, 0, payload=payload(4, data={"__proto__": {"a": 1}})),
    ),
    *[
        planned(
            name, f"{member} has another form", entry(2, 0, payload=payload(4, **{member: value}))
        )
        for name, member, value in MALFORMED
    ],
    *[
        planned(name, None, entry(2, 0, payload=payload(4, **members)))
        for name, members in WELL_FORMED
    ],
]
