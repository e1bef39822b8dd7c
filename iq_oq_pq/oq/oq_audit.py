"""OQ-AUD: the record store does on this installation what it was built for."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyotp
from django.db import Error, connection, transaction

from audit import api as audit
from validation.api import Protocol, Run

CONTENT = {"shelf_temperature": {"value": "253.15", "unit": "K"}}

protocol = Protocol("OQ-AUD", title="The ledger operates as specified")


@protocol.step("OQ-AUD-010", verifies=["URS-AUD-002", "URS-AUD-010"], risk="high")
def a_record_is_appended_as_told(run: Run) -> None:
    """A record is stored as told, with who, when and which build, and its hash fits."""
    run.instruct("Append one record and read it back.")
    record = probe(run)
    stored = audit.Record.objects.get(pk=record.pk)
    told = audit.content(stored)
    run.expect("payload read back is the one written", stored.payload, equals=record.payload)
    run.expect("data", told["data"], equals=CONTENT)
    run.expect("actor", told["actor"], equals=audit.actor_of(run.actor).as_told())
    run.expect("build", told["source"]["software"], equals=audit.software())
    run.expect("record intact", audit.is_intact(stored), equals=True)
    run.attach("record.json", stored.payload, "application/json")


@protocol.step("OQ-AUD-020", verifies=["URS-AUD-002"], risk="high")
def an_act_that_fails_leaves_no_record(run: Run) -> None:
    """Act and record share a transaction: what was undone is not recorded as done."""
    run.instruct("Append a record and let the transaction fail.")
    written: list[audit.Record] = []
    with run.refusal("the act", by=ActFailed, naming="on purpose"), transaction.atomic():
        written.append(audit.append(stream="oq", kind="oq.probe.undone", actor=run.actor))
        raise ActFailed("failed on purpose")
    found = audit.Record.objects.filter(pk__in=[record.pk for record in written]).count()
    run.expect("records appended inside", len(written), equals=1)
    run.expect("records of it afterwards", found, equals=0)


@protocol.step("OQ-AUD-030", verifies=["URS-AUD-001", "URS-AUD-005"], risk="high")
def tampering_is_detected(run: Run) -> None:
    """One altered character in a copy of a record is found by its hash."""
    run.instruct("Append one record and confirm that it verifies.")
    record = probe(run)
    run.expect("record intact", audit.is_intact(record), equals=True)

    run.instruct("Alter one digit in a copy held in memory and verify the copy.")
    record.payload = record.payload.replace("253.15", "253.16")
    run.expect("copy intact", audit.is_intact(record), equals=False)
    run.attach("altered-record.json", record.payload, "application/json")


@protocol.step("OQ-AUD-040", verifies=["URS-AUD-001", "URS-AUD-004"], risk="high")
def a_record_cannot_be_changed_or_removed(run: Run) -> None:
    """Update, deletion and truncation are refused, by the ORM, raw SQL and on a partition."""
    record = probe(run)
    rows = audit.Record.objects.filter(pk=record.pk)
    run.instruct("Try to change and to remove the record through the ORM.")
    with refused(run, "update of a row set"):
        rows.update(kind="oq.probe.forged")
    with refused(run, "deletion of a row set"):
        rows._raw_delete(rows.db)  # what any deletion through the ORM comes down to
    with run.refusal("deletion of a record", by=TypeError, naming="never deleted"):
        record.delete()

    run.instruct("Try the same by raw SQL, on the table and on each of its partitions.")
    for table in ("audit_record", *partitions()):
        for statement in STATEMENTS:
            with refused(run, f"{statement.split()[0]} on {table}"):
                execute(statement.format(table=table))
    after = audit.Record.objects.get(pk=record.pk)
    run.expect("payload afterwards", after.payload, equals=record.payload)
    run.expect("record intact afterwards", audit.is_intact(after), equals=True)


STATEMENTS = (
    "UPDATE {table} SET payload = payload",
    "DELETE FROM {table}",
    "TRUNCATE {table}",
)


@protocol.step("OQ-AUD-050", verifies=["URS-AUD-001", "URS-AUD-004"], risk="high")
def what_the_database_adds_cannot_be_forged(run: Run) -> None:
    """A writer can choose neither key nor time of a record, nor write a block."""
    run.instruct("Try to insert a record with a time of our own, and a block.")
    with refused(run, "a record with its own time"):
        execute(
            "INSERT INTO audit_record (stream, kind, payload, recorded_at) "
            "VALUES ('oq', 'oq.probe', '{}', '2001-01-01Z')"
        )
    with refused(run, "a block"):
        execute("INSERT INTO audit_block (number, header, leaves) VALUES (-1, '{}', '')")
    run.instruct("Try to switch the triggers off.")
    with refused(run, "switching triggers off", naming="must be owner"):
        execute("ALTER TABLE audit_record DISABLE TRIGGER ALL")


@protocol.step("OQ-AUD-060", verifies=["URS-AUD-005", "URS-AUD-006"], risk="high")
def records_are_sealed_in_order(run: Run) -> None:
    """Committed records get their place soon, in the order of their commit."""
    run.instruct("Append two records one after the other and wait for their seals.")
    first, second = probe(run), probe(run)
    places = [audit.wait_for_seal(first), audit.wait_for_seal(second)]
    run.expect("the first has a place", places[0] >= 0, equals=True)
    run.expect("the second comes later", places[1] > places[0], equals=True)

    run.instruct("Ask for a seal inside a transaction.")
    with run.refusal("waiting inside", by=RuntimeError, naming="inside"), transaction.atomic():
        audit.wait_for_seal(first)


@protocol.step("OQ-AUD-070", verifies=["URS-AUD-005", "URS-AUD-007"], risk="high")
def the_whole_ledger_verifies(run: Run) -> None:
    """Every hash of the ledger is recomputed and every checkpoint compared."""
    run.instruct("Append a record, wait for its seal, verify the whole ledger.")
    place = audit.wait_for_seal(probe(run))
    result = verified_with_a_checkpoint()
    run.expect("first flaw found", result.finding, equals=None)
    run.expect("the new record is among those verified", result.records > place, equals=True)
    run.expect("checkpoints compared, at least one", result.checkpoints > 0, equals=True)
    run.attach("verification.json", audit.encode(result.as_json()), "application/json")


@protocol.step("OQ-AUD-080", verifies=["URS-AUD-003"], risk="high")
def a_regulated_row_is_what_its_record_says(run: Run) -> None:
    """A row that cites no record, or another than its own, is refused; all tries are undone."""
    run.instruct("Try to store a person without a record, and with a record about nobody.")
    person = audit.User(username="oq-probe", printed_name="OQ probe")
    with run.refusal("a row without a record", by=ValueError, naming="is regulated"):
        person.save()
    with refused(run, "a row citing a record about nobody", "not once"):
        person.save(record=audit.append(stream="oq", kind="oq.probe", actor=run.actor))

    run.instruct("Try to store a person who differs from the record cited.")
    with refused(run, "a row that differs from its record", "is not what"):
        record = audit.append(
            stream="oq",
            kind="oq.probe",
            actor=run.actor,
            subject=person,
            new={**person.state_fields(), "printed_name": "Somebody else"},
        )
        person.save(record=record)
    found = audit.User.objects.filter(username="oq-probe").count()
    run.expect("persons stored by this step", found, equals=0)


@protocol.step("OQ-AUD-090", verifies=["URS-SIG-001", "URS-SIG-002", "URS-SIG-005"], risk="high")
def a_signature_needs_both_components_and_a_fresh_code(run: Run) -> None:
    """A record is signed with password and code; the code and its proof serve once."""
    run.instruct("Enter a person for this step, with a password and a code secret of chance.")
    with signer_of_this_step() as (signer, password, codes):
        run.instruct("Prove with a wrong password, then with both components, and sign a record.")
        with run.refusal("a wrong password", by=audit.SignatureRefused, naming="not accepted"):
            audit.prove(signer, password=f"not {password}", code="000000")
        code = codes.now()
        proof = audit.prove(signer, password=password, code=code)
        record = signed_probe(run, signer, proof)
        shown = audit.signatures_of(record)
        told = [(s.printed_name, s.meaning, s.is_valid) for s in shown]
        run.expect("signatures", told, equals=[(signer.printed_name, "Verification", True)])

        run.instruct("Use the code, and the proof, a second time.")
        with run.refusal("a used code", by=audit.SignatureRefused, naming="used before"):
            audit.prove(signer, password=password, code=code)
        with run.refusal("a used proof", by=audit.SignatureRefused, naming="another signature"):
            signed_probe(run, signer, proof)
        run.expect("signatures afterwards", len(audit.signatures_of(record)), equals=1)
    signer.refresh_from_db()
    run.expect("the person of this step may still sign in", signer.is_active, equals=False)


@protocol.step("OQ-AUD-100", verifies=["URS-AUD-003", "URS-SIG-020"], risk="high")
def every_regulated_row_is_what_the_ledger_says(run: Run) -> None:
    """All regulated rows are recreated from the records alone and compared with their tables."""
    run.instruct("Recreate every regulated row from the ledger and compare it with its table.")
    tables = [model._meta.db_table for model in audit.state.regulated_models()]
    run.expect("the tables of people are among them", "audit_user" in tables, equals=True)
    with one_moment():
        run.expect("differences", differences(), equals=[])

    run.instruct("Record a person whom no table holds, compare again, undo the record.")
    person = audit.User(username="oq-probe", printed_name="OQ probe")
    with one_moment():
        told = person.state_fields()
        audit.append(stream="oq", kind="oq.probe", actor=run.actor, subject=person, new=told)
        found = differences()
        transaction.set_rollback(True)
    named = [place.startswith(f"audit_user {person.pk} ") for place in found]
    run.expect("differences that name the person", named, equals=[True])
    run.attach("tables.json", audit.encode({"compared": tables}), "application/json")


def differences() -> list[str]:
    """Return each place where a table differs from the ledger."""
    return [str(place) for place in audit.state.differences()]


@contextmanager
def one_moment() -> Iterator[None]:
    """Open a transaction that sees ledger and tables as at one moment, however long it reads."""
    with transaction.atomic():
        execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        execute("SET LOCAL transaction_timeout = 0")
        yield


def signed_probe(run: Run, signer: audit.User, proof: audit.SigningProof) -> audit.Record:
    """Append one record and sign it, in one transaction."""
    with transaction.atomic():
        record = audit.append(stream="oq", kind="oq.probe.signed", actor=run.actor, data=CONTENT)
        audit.sign(
            record,
            signer=signer,
            proof=proof,
            meaning="verification",
            reason="a step of OQ-AUD",
            view={"probe": str(record.pk)},
        )
    return record


@contextmanager
def signer_of_this_step() -> Iterator[tuple[audit.User, str, pyotp.TOTP]]:
    """Enter a person with components that nobody else knows; deactivate them afterwards.

    The operating system's user does it, as at the set-up of an installation; each act is a record.
    """
    who: dict[str, Any] = {"by": audit.os_user_actor(), "reason": "a step of OQ-AUD"}
    name, password = f"oq-{secrets.token_hex(6)}", secrets.token_urlsafe(24)
    signer = audit.create_person(name, f"OQ-AUD signer {name}", **who)
    try:
        audit.set_password(signer, password, **who)
        codes = pyotp.TOTP(audit.enrol_code(signer, **who))
        audit.grant_role(signer, audit.Role.VALIDATION_ENGINEER, **who)
        yield signer, password, codes
    finally:
        audit.change_person(signer, is_active=False, **who)


def verified_with_a_checkpoint() -> audit.Verification:
    """Verify; on a ledger younger than its first checkpoint give the sealer time for one."""
    deadline = time.monotonic() + 10  # seconds
    while True:
        result = audit.verify()
        if not result.ok or result.checkpoints or time.monotonic() > deadline:
            return result
        time.sleep(0.2)


class ActFailed(Exception):
    """Stands for an act that fails after its record was written."""


def probe(run: Run) -> audit.Record:
    """Append and commit one record of this protocol."""
    with transaction.atomic():
        return audit.append(stream="oq", kind="oq.probe", actor=run.actor, data=CONTENT)


def partitions() -> list[str]:
    query = "SELECT inhrelid::regclass::text FROM pg_inherits "
    with connection.cursor() as cursor:
        cursor.execute(query + "WHERE inhparent = 'audit_record'::regclass ORDER BY 1")
        return [name for (name,) in cursor.fetchall()]


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def refused(run: Run, what: str, naming: str = "permission denied") -> Iterator[None]:
    """Expect the database to refuse; were it to accept, the transaction is undone all the same.

    This runs on an installation in use: a guard that is missing must cost no record.
    """
    with run.refusal(what, by=Error, naming=naming), transaction.atomic():
        yield
        transaction.set_rollback(True)
