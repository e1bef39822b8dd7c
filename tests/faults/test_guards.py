"""Faults and attacks on the record store's guards: each entry injected, counted and judged."""

import hashlib
import locale
import random
import string
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from psycopg import sql

from audit import api
from audit.guards import contents, standing
from audit.models import Record, User
from tests.audit.guards import matrix
from tests.audit.guards.changes import CHANGES, written
from tests.audit.guards.conftest import expected  # noqa: F401  a fixture
from tests.audit.guards.test_fingerprints import months
from tests.audit.sealing import Ledger
from tests.audit.test_record_store import person
from tests.faults.writing_forms import forms_of_writing

SEED = 20_261_125
INSERT = (
    "INSERT INTO audit_record (stream, kind, payload) VALUES ('a', 'b.c.d', %s) RETURNING id::text"
)
PAYLOAD = '{"kind":"b.c.d","stream":"a"}'


@pytest.fixture
def ledger(services: Any, ledger_db: str, tmp_path: Any) -> Ledger:
    return Ledger(services, ledger_db, tmp_path / "checkpoints")


# ---------------------------------------------------------------------- STO-07
@pytest.mark.requirement("URS-AUD-002")
@pytest.mark.fault("STO-07")
def test_two_connections_of_one_request_never_wait_for_each_other(campaign, ledger, as_role):
    first, second = as_role("application"), as_role("application")
    acknowledged, deadlocks, longest = set(), 0, 0.0
    for session in (first, second):
        session.execute("SET lock_timeout = '5s'")
        session.commit()
    for run in range(campaign.runs):
        began = time.monotonic()
        try:
            mine = {one.execute(INSERT, [PAYLOAD]).fetchone()[0] for one in (first, second)}
            if run % 3 == 0:
                ledger.seal()  # while both are open
            for session in (first, second) if run % 2 else (second, first):
                session.commit()
            acknowledged |= mine
        except (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable):
            deadlocks += 1
        longest = max(longest, time.monotonic() - began)
    sealed = ledger.seal()
    assert sealed or campaign.runs < 2
    kept = {str(key) for key in Record.objects.values_list("pk", flat=True)}
    assert ledger.verify().finding is None and not api.unsealed().waiting
    campaign.saw(deadlocks=deadlocks, hang_s=longest, lost_acked=len(acknowledged - kept))


# ---------------------------------------------------------------------- STO-08
def odd_content(dice: random.Random) -> Any:
    """Return a content of the kinds that are known to change on their way through a database."""
    zone = timezone(timedelta(minutes=dice.randrange(-14 * 60, 14 * 60)))
    moment = datetime.fromtimestamp(dice.randrange(2**31), UTC) + timedelta(
        microseconds=dice.randrange(10**6)
    )
    letters = string.printable + "äöüßée\u0301Å\u212bﬁ\u200d\u202e😀\u0000\uffff\x7f"
    text = "".join(dice.choice(letters) for _ in range(dice.randrange(12))).replace("\0", "")
    name = "".join(letter for letter in text if ord(letter) < 0xD800)
    double = dice.choice(
        [-0.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e21, 1e-7, dice.random()]
    )
    return dice.choice(
        [
            moment.astimezone(zone),
            Decimal(dice.randrange(-(10**9), 10**9)).scaleb(-dice.randrange(9)),
            api.number(double * dice.choice([1, -1]), "K"),
            text,
            {name: None, name + "a": "", "": []},
            [dice.randrange(-(2**53) + 1, 2**53), True, None, {"b": 1, "a": 2}],
            random.Random(dice.random()).randbytes(9),
        ]
    )


def refused_contents() -> list[Any]:
    """Contents that have no text that would read back the same: refused before anything is kept."""
    return [float("nan"), 1.5, 2**53, "\ud800", {1: 2}, datetime(2026, 1, 1), "a\0b"]  # noqa: DTZ001


@pytest.mark.requirement("URS-AUD-002")
@pytest.mark.fault("STO-08")
def test_every_content_reads_back_as_it_was_hashed(campaign, ledger_db):
    dice = random.Random(SEED)
    drifted, alarms, kept = 0, 0, {}
    numbers = locale.setlocale(locale.LC_NUMERIC)
    zones, locales = ("UTC", "Australia/Lord_Howe", "America/St_Johns"), ("C", "C.UTF-8")
    try:
        for run in range(campaign.runs):
            if run % 50 == 0:
                locale.setlocale(locale.LC_NUMERIC, locales[run // 50 % 2])
                with connection.cursor() as cursor:
                    cursor.execute(
                        "SELECT set_config('TimeZone', %s, false)", [zones[run // 50 % 3]]
                    )
            content = {"odd": odd_content(dice)}
            with transaction.atomic():
                record = api.append(stream="a", kind="b.c.d", data=content)
            kept[record.pk] = api.encode(content)
        for record in Record.objects.all():
            told = api.content(record)["data"]
            drifted += api.encode(told) != kept[record.pk]
            alarms += not api.is_intact(record)
    finally:
        locale.setlocale(locale.LC_NUMERIC, numbers)
    before = Record.objects.count()
    for content in refused_contents():
        with pytest.raises((ValueError, TypeError, DatabaseError)), transaction.atomic():
            api.append(stream="a", kind="b.c.d", data={"odd": content})
    assert Record.objects.count() == before == len(kept)
    campaign.saw(false_alarms=alarms, roundtrip_failures=drifted)


# ---------------------------------------------------------------------- STO-14
def rows_told(model: Any) -> dict[Any, tuple[Any, ...]]:
    return {row[0]: row for row in model._default_manager.values_list()}


@pytest.mark.requirement("URS-AUD-003")
@pytest.mark.requirement("URS-AUD-050")
@pytest.mark.fault("STO-14")
def test_no_form_of_writing_changes_a_row_without_a_record(campaign, desk):
    unaudited, tried = 0, set()
    for model in api.state.regulated_models():
        row = model._default_manager.order_by("pk").first()
        if row is None:
            continue
        for form, write in forms_of_writing(row).items():
            before, records = rows_told(model), Record.objects.count()
            try:
                with transaction.atomic():
                    write()
            except Exception as refusal:  # whatever refuses; that nothing changed is what counts
                assert not isinstance(refusal, AssertionError | AttributeError | NameError), form
            after = rows_told(model)
            changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
            unaudited += max(0, len(changed) - (Record.objects.count() - records))
            tried.add(form)
    campaign.saw(changed_rows_minus_audit_rows=unaudited, forms_tested=len(tried))


# ---------------------------------------------------------------------- STO-15
@pytest.mark.requirement("URS-AUD-052")
@pytest.mark.fault("STO-15")
def test_whoever_switches_the_audit_off_is_seen(campaign, expected, as_role):  # noqa: F811
    application, mighty = as_role("application"), as_role("superuser")
    places = {**months(mighty.cursor()), "database": expected}
    mighty.commit()
    watch = standing.Watch()
    watch.look()
    kept = [(name, change) for name, change in CHANGES.items() if not change.is_kept_apart]
    successes, seen, slowest = 0, 0, 0.0
    for run in range(campaign.runs):
        _, change = kept[run % len(kept)]
        try:
            application.execute(written(change.do, **places))
            successes += 1
        except psycopg.Error:
            pass
        application.rollback()
        mighty.execute(written(change.do, **places))
        mighty.commit()
        began = time.monotonic()
        seen += watch.look().state == "changed"
        slowest = max(slowest, time.monotonic() - began)
        mighty.execute(written(change.undo, **places))
        mighty.commit()
        assert watch.look().state == "intact", change.do
    changed = Record.objects.filter(kind=standing.CHANGED).count()
    restored = Record.objects.filter(kind=standing.RESTORED).count()
    assert changed == restored == seen
    campaign.saw(
        app_role_successes=successes,
        detected_share=seen / campaign.runs,
        detect_s=settings.WATCH_EVERY_S + slowest,
    )


# ---------------------------------------------------------------------- STO-16
@pytest.mark.requirement("URS-AUD-050")
@pytest.mark.fault("STO-16")
def test_the_applications_login_changes_no_protected_table(campaign, services, filled):
    name = services.clone(template=filled[0])
    try:
        eye, session = services.connect("superuser", name), services.connect("application", name)
        eye.autocommit = session.autocommit = True
        session.execute("SET lock_timeout = '5s'")
        tables = matrix.tables(eye)
        successes, covered = 0, set()
        for _ in range(max(1, campaign.runs // 60)):
            for table, _verb, succeeded in matrix.attempts(eye, session, on=tables):
                successes += succeeded
                covered.add(table)
        for role in ("twin_owner", "twin_sealer", "postgres"):
            attempt = sql.SQL("SET ROLE {}").format(sql.Identifier(role))
            successes += matrix.succeeds(session, attempt)
        session.close()
        eye.close()
    finally:
        services.drop(name)
    campaign.saw(successes=successes, tables_covered_share=len(covered) / len(tables))


# ---------------------------------------------------------------------- STO-19
def rename(session: Any, ada: User, old: str, new: str) -> bool:
    """Rename a person from what was read, with its record; return whether it was committed."""
    before = {**ada.state_fields(), "printed_name": old}
    after = {**before, "printed_name": new}
    changes = [{"subject": ada.subject(), "old": before, "new": after}]
    told = {"kind": "b.c.d", "stream": "people", "changes": changes}
    try:
        key = session.execute(
            "INSERT INTO audit_record (stream, kind, payload) VALUES ('people', 'b.c.d', %s) "
            "RETURNING id",
            [api.encode(told).decode()],
        ).fetchone()[0]
        session.execute(
            "UPDATE audit_user SET printed_name = %s, record_id = %s WHERE id = %s",
            [new, key, ada.pk],
        )
        session.commit()
    except psycopg.Error:
        session.rollback()
        return False
    return True


def history(sessions: tuple[Any, Any], level: str, dice: random.Random, ada: User) -> int:
    """Let two transactions rename one person from what both have read; return what is broken.

    One of them may win; the row then is what its record says.
    """
    names = [f"n{dice.randrange(10**9)}" for _ in sessions]
    seen = []
    for session in sessions:
        session.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        row = session.execute("SELECT printed_name FROM audit_user WHERE id = %s", [ada.pk])
        seen.append(row.fetchone()[0])
    with ThreadPoolExecutor(2) as threads:
        won = list(threads.map(lambda n: rename(sessions[n], ada, seen[n], names[n]), (0, 1)))
    now = User.objects.get(pk=ada.pk).printed_name
    left = [name for name, is_won in zip(names, won, strict=True) if is_won] or [seen[0]]
    return int(sum(won) > 1 or now != left[-1])


@pytest.mark.requirement("URS-AUD-003")
@pytest.mark.fault("STO-19")
def test_no_isolation_level_lets_two_changes_follow_from_one_state(campaign, ledger_db, as_role):
    dice, broken = random.Random(SEED), 0
    with transaction.atomic():
        ada = person()
    sessions = (as_role("application"), as_role("application"))
    levels = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
    for run in range(campaign.runs):
        broken += history(sessions, levels[run % 3], dice, ada)
    assert list(api.state.differences()) == []
    campaign.saw(invariant_violations=broken)


# ---------------------------------------------------------------------- STO-22
def replaced(content: bytes, other: bytes, way: int) -> bytes:
    return [b"x" * len(content), content + b"\0", content[:-1], other][way % 4]


@pytest.mark.requirement("URS-AUD-057")
@pytest.mark.fault("STO-22")
def test_a_replaced_content_is_found_and_never_given_out(campaign, ledger_db, as_role):
    dice, served, found = random.Random(SEED), 0, 0
    mighty = as_role("superuser")
    mighty.execute("ALTER TABLE audit_blob DISABLE TRIGGER ALL")
    mighty.execute("ALTER TABLE audit_blob DROP CONSTRAINT blob_is_its_digest")
    mighty.commit()
    for run in range(campaign.runs):
        content, other = dice.randbytes(400), dice.randbytes(300)
        with transaction.atomic():
            digest = api.put_blob(content, "application/octet-stream")
        mighty.execute(
            "UPDATE audit_blob SET content = %s WHERE digest = %s",
            [replaced(content, other, run), digest],
        )
        mighty.commit()
        for read in (api.get_blob, contents.given_out):
            with suppress(ValueError, contents.ContentDamaged):
                served += read(digest) != content
        found += digest in contents.Sweep().look() if run % 4 == 0 else _is_named(digest)
        mighty.execute("UPDATE audit_blob SET content = %s WHERE digest = %s", [content, digest])
        mighty.commit()
        assert hashlib.sha256(api.get_blob(digest)).hexdigest() == digest
    campaign.saw(wrong_files_served=served, detected_share=found / campaign.runs)


def _is_named(digest: str) -> bool:
    told = Record.objects.filter(kind=contents.DAMAGED).order_by("-id")[:1]
    return any(api.content(one)["data"]["digest"] == digest for one in told)
