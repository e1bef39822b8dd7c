"""How a case of the verifier page is made: a plan, one change, and what the page must say."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.audit.bundles import js_ledger as made
from tests.audit.bundles.js_ledger import FIRST, Plan, payload

EPOCHS = {"epoch": 1, "system": "8800", "timeline": 2, "first": "5", "below": "9"}
Files = dict[str, bytes]


@dataclass
class Case:
    """A bundle, what the auditor trusts, and what the page must say (None: no flaw)."""

    name: str
    files: Files
    says: str | None
    trust: str | None = None


def planned(name: str, says: str | None, change: Callable[[Plan], None], **more) -> Case:
    plan = made.plan()
    change(plan)
    return Case(name, made.Maker(plan).files(), says, **more)


def forged(name: str, says: str | None, change: Callable[[Files], None], select=None) -> Case:
    """The files are changed and listed anew; nothing is signed anew."""
    plan = made.plan()
    plan.selected = select
    files = made.Maker(plan).files()
    change(files)
    return Case(name, made.relisted(files), says)


def header(number: int, /, **members) -> Callable[[Plan], None]:
    return lambda plan: plan.blocks[number].header.update(members)


def index(block: int, at: int, /, **members) -> Callable[[Plan], None]:
    return lambda plan: plan.blocks[block].entries[at].index.update(members)


def entry(block: int, at: int, /, **members) -> Callable[[Plan], None]:
    return lambda plan: plan.blocks[block].entries[at].__dict__.update(members)


def block(number: int, /, **members) -> Callable[[Plan], None]:
    return lambda plan: plan.blocks[number].__dict__.update(members)


def both(*changes: Callable[[Plan], None]) -> Callable[[Plan], None]:
    return lambda plan: [change(plan) for change in changes] and None


def signed(**by_block) -> Callable[[Plan], None]:
    """Checkpoints b1=[...], b3=[...] and every ledger key of theirs in keys.txt."""

    def change(plan: Plan) -> None:
        plan.checkpoints = {int(name[1:]): keys for name, keys in by_block.items()}
        seen = dict.fromkeys(key for keys in by_block.values() for key in keys)
        plan.keys = [key for key in seen if key.algorithm == made.LEDGER]

    return change


def select(*sequences: int) -> Callable[[Plan], None]:
    return lambda plan: setattr(plan, "selected", list(sequences))


def line_edit(path: str, at: int, old: bytes, new: bytes) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        rows = files[path].split(b"\n")
        assert old in rows[at], rows[at]
        rows[at] = rows[at].replace(old, new, 1)
        files[path] = b"\n".join(rows)

    return change


def drop_line(path: str, at: int) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        rows = files[path].split(b"\n")
        del rows[at]
        files[path] = b"\n".join(rows)

    return change


def swap_lines(path: str, one: int, two: int) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        rows = files[path].split(b"\n")
        rows[one], rows[two] = rows[two], rows[one]
        files[path] = b"\n".join(rows)

    return change


def other_history() -> Plan:
    plan = made.plan()
    entry(1, 0, payload=payload(77))(plan)
    return plan


SPLIT = made.Maker(other_history()).checkpoint(1)


def resigned(text: str) -> str:
    body = text.split("\n\n")[0].replace("/epoch/1", "", 1) + "\n"
    return f"{body}\n{FIRST.line(body)}"


FORK = payload(4, kind="audit.ledger.forked")
NEW_EPOCH = both(block(2, **EPOCHS), block(3, **(EPOCHS | {"first": "9", "below": "200"})))
FORKED = both(
    NEW_EPOCH,
    lambda plan: (
        [entry(2, i, transaction="7")(plan) for i in range(2)]
        and [entry(3, i, transaction="60")(plan) for i in range(5)]
        and None
    ),
    entry(2, 0, payload=FORK),
)
