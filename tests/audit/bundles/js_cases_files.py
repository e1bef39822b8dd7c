"""Cases of the verifier page: files, lines, proofs and manifest, listed anew after the change."""

from tests.audit.bundles import js_ledger as made
from tests.audit.bundles.js_cases import drop_line, forged, line_edit, planned, swap_lines

FILES = [
    forged(
        "a record changed",
        "records.jsonl line 5 (sequence 4, block 2): the record is not the one",
        line_edit("records.jsonl", 4, b'"n":4', b'"n":5'),
    ),
    forged(
        "records swapped", "records.jsonl line 5 (sequence 4", swap_lines("records.jsonl", 4, 5)
    ),
    forged("a record dropped", "records.jsonl line 5 (sequence 4", drop_line("records.jsonl", 4)),
    forged(
        "the last record dropped",
        "records.jsonl, at its end: ends before sequence 10",
        drop_line("records.jsonl", 10),
    ),
    forged(
        "a record too many",
        "records.jsonl line 12: is a record too many",
        lambda files: files.update({"records.jsonl": files["records.jsonl"] + b"{}\n"}),
    ),
    forged("an index line dropped", "says sequence 5 where 4 is due", drop_line("index.jsonl", 4)),
    forged(
        "index lines swapped", "says sequence 5 where 4 is due", swap_lines("index.jsonl", 4, 5)
    ),
    forged("a block dropped", "number is 2 where 1 is due", drop_line("blocks.jsonl", 1)),
    forged(
        "the last block dropped",
        "index.jsonl line 7: is an index line too many",
        drop_line("blocks.jsonl", 3),
    ),
    forged(
        "checkpoints swapped",
        "checkpoints.jsonl line 2: names block 1 after block 3",
        swap_lines("checkpoints.jsonl", 0, 1),
    ),
    forged(
        "all checkpoints dropped",
        "holds no checkpoint",
        lambda files: files.update({"checkpoints.jsonl": b""}),
    ),
    forged(
        "no newline at the end",
        "does not end with a newline",
        lambda files: files.update({"blocks.jsonl": files["blocks.jsonl"][:-1]}),
    ),
    forged(
        "an empty line",
        "not canonical JSON",
        lambda files: files.update({"blocks.jsonl": b"\n" + files["blocks.jsonl"]}),
    ),
    forged(
        "a carriage return",
        "text after the value",
        line_edit("blocks.jsonl", 0, b'"v":1}', b'"v":1}\r'),
    ),
    forged(
        "a blob with a false name",
        "has not the digest of its name",
        lambda files: files.update({f"blobs/{'1' * 64}": b"x"}),
    ),
    forged(
        "a blob without a digest for a name",
        "has no place in a bundle",
        lambda files: files.update({"blobs/x": b"x"}),
    ),
    forged(
        "proofs in a complete bundle",
        "does not belong",
        lambda files: files.update({"proofs.jsonl": b""}),
    ),
    forged(
        "a file of another kind",
        "notes.txt: has no place",
        lambda files: files.update({"notes.txt": b"x"}),
    ),
    forged(
        "a copy with a hidden part",
        "has no place",
        lambda files: files.update({"copies/.x/table.csv": b"x"}),
    ),
    forged(
        "a token of a size beyond all sizes",
        "has no place",
        lambda files: files.update({"tokens/12345678901234567.tsr": b"x"}),
    ),
    forged(
        "both verifiers in the bundle",
        None,
        lambda files: files.update({"verifier.py": b"x", "verifier.html": b"x"}),
    ),
    forged(
        "an empty line in keys.txt",
        "keys.txt line 2: is no public key",
        lambda files: files.update({"keys.txt": files["keys.txt"] + b"\n"}),
    ),
    forged(
        "no newline at the end of keys.txt",
        "keys.txt: does not end with a newline",
        lambda files: files.update({"keys.txt": files["keys.txt"][:-1]}),
    ),
    forged(
        "keys that are no UTF-8",
        "keys.txt: is not UTF-8",
        lambda files: files.update({"keys.txt": files["keys.txt"] + b"\xff\n"}),
    ),
    forged("copies", None, lambda files: files.update({"copies/table.csv": b"x"})),
    forged(
        "no records", "records.jsonl: is missing", lambda files: files.pop("records.jsonl") and None
    ),
    forged("no keys", "keys.txt: is missing", lambda files: files.pop("keys.txt") and None),
    forged(
        "a proof of another record",
        "proofs.jsonl line 2 (sequence 5): the proof does not lead",
        line_edit("proofs.jsonl", 1, b'"hashes":["', b'"hashes":["' + b"1" * 64 + b'","'),
        select=[1, 5, 10],
    ),
    forged(
        "a proof too long",
        "proofs.jsonl line 1 (sequence 1): the proof does not lead",
        line_edit("proofs.jsonl", 0, b'"],', b'","' + b"1" * 64 + b'"],'),
        select=[1, 5, 10],
    ),
    forged(
        "proofs swapped",
        "the next is that of proofs.jsonl line 1 (sequence 5)",
        swap_lines("proofs.jsonl", 0, 1),
        select=[1, 5, 10],
    ),
    forged("a proof dropped", "", drop_line("proofs.jsonl", 1), select=[1, 5, 10]),
    forged(
        "a selected record replaced",
        "sequence 5, block 2): the record is not",
        line_edit("records.jsonl", 1, b'"n":5', b'"n":6'),
        select=[1, 5, 10],
    ),
    forged(
        "an index line of a selection dropped",
        "index.jsonl",
        drop_line("index.jsonl", 4),
        select=[1, 5, 10],
    ),
    forged(
        "the index of a block without a record",
        "shows none of its records",
        lambda files: files.update({"index.jsonl": made.Maker(made.plan()).files()["index.jsonl"]}),
        select=[1, 10],
    ),
]

MANIFESTS = [
    planned("a bundle made by nothing named", None, lambda plan: plan.manifest.update(software="")),
    planned(
        "a digest in capitals",
        "manifest.json: the digest of",
        lambda plan: plan.manifest.update(files={"keys.txt": "A" * 64}),
    ),
    planned(
        "filters in a complete bundle",
        "has filters",
        lambda plan: plan.manifest.update(filters={"a": 1}),
    ),
    planned(
        "an unknown scope", "scope is unknown", lambda plan: plan.manifest.update(scope="part")
    ),
    planned("another bundle version", "bundle is 2", lambda plan: plan.manifest.update(bundle=2)),
    planned(
        "another origin in the manifest",
        "origin is ledger.example/site-9, not x",
        lambda plan: plan.manifest.update(origin="x"),
    ),
    planned(
        "a path that climbs",
        "FLAW at ../x: is missing",
        lambda plan: plan.manifest.update(files={"../x": "1" * 64}),
    ),
    planned(
        "an unknown member of the manifest",
        "unknown member more",
        lambda plan: plan.manifest.update(more=1),
    ),
]
