"""Every member of a header, index line, payload, proof and manifest with values that it never has.

The bundle is signed, chained and listed as if the value were honest; whether it is sound is for the
verifiers to say, and they must say the same.
"""

import json
from collections.abc import Callable, Iterator

from tests.audit.bundles import js_ledger as made
from tests.audit.bundles.js_cases import entry, header, index
from tests.audit.bundles.js_ledger import Plan, payload

ODD = (
    *(None, True, 0, 1, -1, 2**53 - 1, 2**53, [], {}, {"a": 1}),
    *("", "x", "0" * 64, "007", "٣", "2026-01-31T10:00:09.000000Z", "é\u2028"),
)
SELECTED = [1, 5, 10]
INDEX = ("id", "leaf", "recorded_at", "sequence", "transaction")
MANIFEST = ("bundle", "created_at", "files", "filters", "origin", "scope", "software", "tree_size")


def _planned(change: Callable[[Plan], object], selected: list[int] | None) -> dict[str, bytes]:
    plan = made.plan()
    plan.selected = selected
    change(plan)
    return made.Maker(plan).files()


def _with_proof(name: str, value: object) -> dict[str, bytes]:
    files = _planned(lambda plan: None, SELECTED)
    rows = files["proofs.jsonl"].split(b"\n")
    rows[1] = made.canonical({**json.loads(rows[1]), name: value})
    return made.relisted({**files, "proofs.jsonl": b"\n".join(rows)})


def _in_manifest(name: str, value: object) -> Callable[[Plan], object]:
    return lambda plan: plan.manifest.update({name: value})


def _changes(value: object) -> Iterator[tuple[str, Callable[[Plan], object]]]:
    for name in made.Maker(made.plan()).headers[0]:
        for number in (0, 2, 3):
            if name != "root":  # a checkpoint's text would not even be made
                yield f"header {number} {name}", header(number, **{name: value})
    for name in INDEX:
        yield f"index {name}", index(2, 1, **{name: value})
    for name in payload(4):
        yield f"payload {name}", entry(2, 0, payload=payload(4, **{name: value}))
    for name in MANIFEST:
        yield f"manifest {name}", _in_manifest(name, value)


def bundles() -> Iterator[tuple[str, Callable[[], dict[str, bytes]]]]:
    """(name, what makes the files) of each member with each value, complete and as a selection."""
    for value in ODD:
        for name, change in _changes(value):
            for selected in (None,) if name.startswith("header") else (None, SELECTED):
                yield (
                    f"{name} = {value!r}, {'selection' if selected else 'complete'}",
                    lambda change=change, selected=selected: _planned(change, selected),
                )
        for name in ("hashes", "sequence"):
            yield f"proof {name} = {value!r}", lambda n=name, v=value: _with_proof(n, v)
