"""A superuser with every trigger off edits, deletes, cuts, inserts and swaps: found and placed."""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from typing import Any

import pytest
from django.db import connection, transaction

from audit import api, sealer, verification
from audit.models import Block, Checkpoint, Record
from tests.audit.conftest import ledger  # noqa: F401  the fixture
from tests.audit.sealing import Ledger
from tests.services import django_on

pytestmark = pytest.mark.requirement("URS-AUD-005")
SEED = 20_261_127
BLOCKS, EACH = 6, 60
TABLES = ("audit_record", "audit_block", "audit_tile", "audit_checkpoint", "audit_droppedrecord")


class Undone(Exception):
    """Takes an attack back after it was looked at."""


class Insider:
    """The database's superuser: each attack is judged and then taken back."""

    def __init__(self, ledger: Ledger) -> None:  # noqa: F811
        self.ledger = ledger

    @contextmanager
    def attack(self) -> Iterator[Any]:
        """Give a cursor with triggers off; what it did is undone at the end."""
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL session_replication_role = replica")
                for table in TABLES:
                    cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
                yield cursor
                raise Undone
        except Undone:
            pass

    def judged(self, do: Callable[[Any], str]) -> tuple[bool, bool, float]:
        """Carry an attack out; return whether it was found, whether placed, and the seconds."""
        with self.attack() as cursor:
            place = do(cursor)
            begun = time.monotonic()
            result = self.ledger.verify()
            took = time.monotonic() - begun
        found = result.finding
        return found is not None, bool(found and re.match(place, found.place)), took


@pytest.fixture
def insider(ledger: Ledger) -> Iterator[Insider]:  # noqa: F811
    """A sealed ledger of some blocks, each under its checkpoint, and its superuser."""
    for block in range(BLOCKS):
        with transaction.atomic():
            for place in range(EACH):
                api.append(stream="test", kind="test.fact.noted", reason=f"{block}/{place}")
        ledger.seal()
    assert ledger.verify().ok
    with django_on(ledger.name, **superuser(ledger)):
        yield Insider(ledger)


def superuser(ledger: Ledger) -> dict[str, str]:  # noqa: F811
    from twin_core.config.environment import database_settings

    settings = database_settings("the suite's administrator", ledger.services.admin_url())
    return {name: settings[name] for name in ("USER", "PASSWORD", "HOST", "PORT")}


def picked(chance: random.Random) -> tuple[Any, int, int]:
    """Return (key, block, sequence) of a record by chance."""
    block, place = chance.randrange(BLOCKS), chance.randrange(EACH)
    record = Record.objects.get(payload__contains=f'"reason":"{block}/{place}"')
    return record.pk, Block.objects.order_by("number")[block].number, api.sequence_of(record) or 0


def at(block: int, sequence: int) -> str:
    return rf"block {block}, record with sequence {sequence}$"


# ------------------------------------------------------------------------------ STO-02: edits
def edit(column: str, value: str) -> Callable[[Any, random.Random], str]:
    """Return an edit of one column of a record; all but the text are in the block's index."""

    def do(cursor: Any, chance: random.Random) -> str:
        key, block, sequence = picked(chance)
        cursor.execute(f"UPDATE audit_record SET {column} = {value} WHERE id = %s", [key])
        return at(block, sequence) if column in ("payload", "stream") else rf"block {block}\b"

    return do


def edit_block(column: str, value: str) -> Callable[[Any, random.Random], str]:
    def do(cursor: Any, chance: random.Random) -> str:
        number = Block.objects.order_by("number")[chance.randrange(BLOCKS)].number
        cursor.execute(f"UPDATE audit_block SET {column} = {value} WHERE number = %s", [number])
        return rf"block ({number}|{number + 1})\b"

    return do


def edit_checkpoint(cursor: Any, chance: random.Random) -> str:
    size = chance.choice(list(Checkpoint.objects.values_list("tree_size", flat=True)))
    cursor.execute(
        "UPDATE audit_checkpoint SET note = replace(note, 'block', 'blocK') WHERE tree_size = %s",
        [size],
    )
    return "checkpoint in the database"


EDITS = (
    edit("payload", 'replace(payload, \'"reason":"\', \'"reason":"not \')'),
    edit("payload", "replace(payload, '\"reason\"', '\"reasoN\"')"),
    edit("payload", "replace(payload, '\"blobs\":[]', '\"blobs\": []')"),
    edit("recorded_at", "recorded_at + interval '1 microsecond'"),
    edit("id", "uuidv7()"),
    edit("transaction", "(transaction::text::bigint + 1)::text::xid8"),
    edit("transaction", "pg_current_xact_id()"),
    edit_block("header", "replace(header, '\"timeline\":1', '\"timeline\":2')"),
    edit_block("header", "replace(header, '\"v\":1', '\"v\":2')"),
    edit_block("leaves", "sha256(leaves) || substr(leaves, 33)"),
    edit_checkpoint,
)


def tally(insider: Insider, attacks: Any, runs: int) -> tuple[float, float, float]:
    """Return the shares found and placed over all runs, and the slowest verification."""
    found = placed = 0
    slowest = 0.0
    for run, attack in enumerate(islice(cycle(attacks), runs)):
        chance = random.Random(f"{SEED} {run}")
        seen, there, took = insider.judged(lambda cursor, a=attack, c=chance: a(cursor, c))
        assert seen and there, f"run {run}: {attack} found {seen}, placed {there}"
        found, placed, slowest = found + seen, placed + there, max(slowest, took)
    return found / runs, placed / runs, round(slowest, 3)


@pytest.mark.fault("STO-02")
def test_every_edited_column_is_found_and_placed(insider, campaign):
    found, placed, slowest = tally(insider, EDITS, campaign.runs)
    alarms = 0 if insider.ledger.verify().ok else 1
    campaign.saw(
        detected_share=found, localised_share=placed, detect_s=slowest, false_alarms=alarms
    )


# ---------------------------------------------------------------------------- STO-03: deletes
def delete_some(cursor: Any, chance: random.Random) -> str:
    key, block, sequence = picked(chance)
    count = chance.randint(1, 50)
    cursor.execute(
        "DELETE FROM audit_record WHERE id IN ("
        "SELECT id FROM audit_record WHERE (transaction, id) >= "
        "(SELECT transaction, id FROM audit_record WHERE id = %s) "
        "ORDER BY transaction, id LIMIT %s)",
        [key, count],
    )
    return at(block, sequence)


@pytest.mark.fault("STO-03")
def test_deleted_records_are_found_at_the_first_that_is_missing(insider, campaign):
    found, placed, slowest = tally(insider, [delete_some], campaign.runs)
    campaign.saw(detected_share=found, localised_share=placed, detect_s=slowest)


# ------------------------------------------------------------------- STO-17: inserts and swaps
def insert_forged(cursor: Any, chance: random.Random) -> str:
    key, block, _ = picked(chance)
    cursor.execute(
        "INSERT INTO audit_record (stream, kind, payload, transaction, recorded_at) "
        "SELECT stream, kind, replace(payload, '/', '-'), transaction, recorded_at "
        "FROM audit_record WHERE id = %s",
        [key],
    )
    return rf"block {block}\b"


def swap(column: str, way: str) -> Callable[[Any, random.Random], str]:
    """Return an attack that lets two records of different blocks exchange something."""

    def do(cursor: Any, chance: random.Random) -> str:
        one, two = picked(chance), picked(chance)
        while one[1] == two[1]:
            two = picked(chance)
        cursor.execute(
            f"UPDATE audit_record mine SET {column} = {way} FROM audit_record other "
            "WHERE (mine.id, other.id) IN ((%s, %s), (%s, %s))",
            [one[0], two[0], two[0], one[0]],
        )
        first = min(one, two, key=lambda pick: pick[2])
        return rf"block {first[1]}\b" if column == "recorded_at" else at(first[1], first[2])

    return do


def other_actor(cursor: Any, chance: random.Random) -> str:
    key, block, sequence = picked(chance)
    cursor.execute(
        "UPDATE audit_record SET payload = regexp_replace(payload, '\"actor\":{[^}]*}', "
        '\'"actor":{"id":"eve","kind":"process","name":"eve"}\') WHERE id = %s',
        [key],
    )
    return at(block, sequence)


SWAPS = (
    insert_forged,
    swap("payload", "other.payload"),
    swap("recorded_at", "other.recorded_at - interval '1 second'"),
    other_actor,
)


@pytest.mark.fault("STO-17")
def test_forged_and_exchanged_records_are_found_and_placed(insider, campaign):
    found, placed, _ = tally(insider, SWAPS, campaign.runs)
    campaign.saw(detected_share=found, localised_share=placed)


# ------------------------------------------------------------------------------- STO-04: cuts
def cut_after(cursor: Any, size: int) -> None:
    """Remove all that was sealed after ``size`` records, with blocks, tiles and checkpoints."""
    cursor.execute(
        "SELECT transaction_below FROM audit_block WHERE first_sequence + count = %s", [size]
    )
    below = cursor.fetchone()[0]
    cursor.execute("DELETE FROM audit_record WHERE transaction >= %s::text::xid8", [str(below)])
    cursor.execute("DELETE FROM audit_block WHERE first_sequence >= %s", [size])
    cursor.execute("DELETE FROM audit_tile WHERE (position + 1) * 65536 > %s", [size])
    cursor.execute("DELETE FROM audit_checkpoint WHERE tree_size > %s", [size])


@pytest.mark.fault("STO-04")
@pytest.mark.requirement("URS-AUD-007")
def test_a_cut_tail_is_found_and_no_sealer_goes_on(insider, campaign):
    found = placed = went_on = 0
    exposed = 0.0
    for run in range(campaign.runs):
        cut = 1 + run % (BLOCKS - 1)  # blocks that are cut off
        running = insider.ledger.sealer()
        with insider.attack() as cursor:
            last = list(Block.objects.order_by("-number")[: cut + 1])[-1]
            size = last.first_sequence + last.count
            cut_after(cursor, size)
            begun = time.monotonic()
            result: verification.Verification = insider.ledger.verify()
            exposed = max(exposed, time.monotonic() - begun)
            found += not result.ok
            placed += str(result.finding).count(f"after {size} records") == 1
            went_on += sealed_after(insider.ledger, running)
        assert insider.ledger.verify().ok
    runs = campaign.runs
    campaign.saw(
        detected_share=found / runs,
        localised_share=placed / runs,
        writes_accepted_after=went_on,
        exposure_window_s=round(exposed, 3),
    )


def sealed_after(ledger: Ledger, running: sealer.Sealer) -> int:  # noqa: F811
    """Let the sealer that ran all along, and one begun anew, try to go on; count what they did."""
    api.append(stream="test", kind="test.fact.noted", reason="after the cut")
    row = sealer.Row(
        api.uuid7(), b"{}", bytes(32), 10**9, api.Record.objects.latest("id").recorded_at
    )
    done = 0
    try:
        running._store([row], running.header.transaction_below, 10**9 + 1)
        done += 1
    except sealer.SealingRefused:
        pass
    with suppress(sealer.SealingRefused):
        done += ledger.sealer().seal()
    return done
