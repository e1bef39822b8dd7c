"""A ledger with records of months long past, a policy in force, and people who sign."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit import canonical, signatures
from audit.models import Record
from audit.retention import archive, drops, holds, policies, policy
from tests.audit.people import Person, enter
from tests.audit.sealing import Ledger

INSERT = """
INSERT INTO audit_record (id, stream, kind, payload, recorded_at)
VALUES (%s, %s, %s, %s, %s)
"""
POLICY = b"""\
v: 1
evidence: checkpoints
witnesses: []
classes:
  - {name: "Own story", stream: "ledger", years: for ever}
  - {name: "People", stream: "people", years: for ever}
  - {name: "Batches", stream: "batch/*", years: 5}
  - {name: "All else", years: 2}
"""
OLD = "2015-01"


def payload(stream: str, number: int, **members: Any) -> str:
    told = {
        "v": 1,
        "stream": stream,
        "kind": "test.fact.noted",
        "occurred_at": datetime(2015, 1, 5, tzinfo=UTC),
        "actor": {"id": "tests", "kind": "process", "name": "tests"},
        "changes": [],
        "reason": f"old fact {number}",
        "source": {"address": None, "process": "tests", "session": None, "software": "0"},
        "parents": [],
        "blobs": [],
        "data": None,
    }
    return canonical.encode({**told, **members}).decode()


def key_at(moment: datetime, number: int) -> str:
    """Return a version 7 UUID of a moment."""
    stamp = int(moment.timestamp() * 1000) << 80
    return str(UUID(int=stamp | 0x7 << 76 | 0x2 << 62 | number + 1))


class Decades:
    """The test's ledger with its past. ``people`` sign; ``to`` is where archives go."""

    def __init__(self, ledger: Ledger, as_role: Any, settings: Any, place: Path) -> None:
        self.ledger, self.as_role, self.to = ledger, as_role, place / "archives"
        self.place, self.settings = place, settings
        keys = place / "trusted.pub"
        keys.write_text("".join(f"{key}\n" for key in ledger.keys))
        settings.LEDGER_PUBLIC_KEY_FILE = keys
        settings.CHECKPOINT_DIR = ledger.outside.folder
        self.approver = enter("anna", "qa_approver")
        self.second = enter("ben", "qa_reviewer")
        self.third = enter("cleo", "qa_approver")
        self.proved: dict[str, int] = {}
        self.sign_policy(POLICY)

    # ------------------------------------------------------------- people sign
    def proof(self, person: Person) -> Any:
        """Prove now, or half a minute on where this code was used: four times at most."""
        used = self.proved.get(person.user.username, -1) + 1
        self.proved[person.user.username] = used
        now = timezone.now() + timedelta(seconds=30 * used)
        return person.prove(now=now)

    def sign_policy(self, content: bytes) -> Record:
        return policies.put_in_force(
            content,
            signer=self.approver.user,
            proof=self.proof(self.approver),
            reason="as agreed",
            shown=signatures.view_digest(policies.view(content)),
        )

    def hold(self, scope: str, value: str = "", matter: str = "case 7", by: Any = None) -> Any:
        by = by or self.second
        view = holds.view_of_setting(scope, value, matter)
        return holds.set_hold(
            scope,
            value,
            matter,
            signer=by.user,
            proof=self.proof(by),
            reason="letter of the court",
            shown=signatures.view_digest(view),
        )

    def release(self, hold: Any, by: Any = None) -> Any:
        by = by or self.third
        view = signatures.view_digest(holds.view_of_release(hold))
        return holds.release(
            hold.pk, signer=by.user, proof=self.proof(by), reason="case closed", shown=view
        )

    def approve(self, month: str, person: Person) -> Record:
        view = signatures.view_digest(drops.view(month))
        return drops.approve(
            month, signer=person.user, proof=self.proof(person), reason="time is over", shown=view
        )

    # ----------------------------------------------------------------- the past
    def past(self, month: str, *streams: str, first: int = 0) -> list[str]:
        """Write a record of ``month`` to each stream, as the owner: nobody else could."""
        owner = self.as_role("owner")
        start = datetime.fromisoformat(f"{month}-05").replace(tzinfo=UTC)
        owner.execute("SELECT ledger_make_months(%s, 0)", [start.date()])
        keys = []
        for number, stream in enumerate(streams, first):
            moment = start + timedelta(minutes=number)
            keys.append(key_at(moment, number))
            owner.execute(
                INSERT,
                [keys[-1], stream, "test.fact.noted", payload(stream, number), moment],
            )
        owner.commit()
        return keys

    def lived(self, since: str, until: date | None = None) -> None:
        """Leave a checkpoint file for each tenth day, as a site that was never long away."""
        day, until = date.fromisoformat(since), until or timezone.now().date()
        while day <= until:
            (self.ledger.outside.folder / f"{day.isoformat()}.jsonl").touch()
            day += timedelta(days=10)

    # ---------------------------------------------------------------------- acts
    def archive(self, month: str = OLD) -> Any:
        with self.ledger.as_sealer():
            return archive.archive(month, self.to, actor=None)

    def drop(self, month: str = OLD) -> Any:
        with self.ledger.as_sealer():
            return drops.drop(month, actor=None)

    def dropped(self, month: str = OLD) -> Any:
        """Archive, approve by two and drop a month."""
        self.archive(month)
        self.approve(month, self.approver)
        self.approve(month, self.second)
        row = self.drop(month)
        self.ledger.seal()
        return row


def note_now(count: int = 3) -> None:
    """Write records of today."""
    from audit import api

    for number in range(count):
        with transaction.atomic():
            api.append(stream="test", kind="test.fact.noted", reason=f"today {number}")


def as_json(path: Path) -> Any:
    return json.loads(path.read_text())


def years_of(content: bytes) -> int:
    return policy.parse(content).years_for([("batch/B-1", "x")])
