"""The insider is the adversary: a superuser with triggers off rewrites, the verifier names it."""

import re

import pytest
from django.db import transaction

from audit import api, canonical, chain, merkle
from audit.models import Block


@pytest.fixture
def sealed(ledger):
    """Nine records in three blocks, each under its checkpoint."""
    for block in range(3):
        with transaction.atomic():
            for place in range(3):
                api.append(
                    stream="test", kind="test.fact.noted", reason=f"block {block} record {place}"
                )
        ledger.seal()
    assert ledger.verify().ok
    return ledger


@pytest.fixture
def owner(sealed, as_role):
    """The database's owner of all, with every trigger off."""
    superuser = as_role("superuser")
    superuser.execute("ALTER TABLE audit_record DISABLE TRIGGER ALL")
    superuser.execute("ALTER TABLE audit_block DISABLE TRIGGER ALL")
    superuser.execute("ALTER TABLE audit_checkpoint DISABLE TRIGGER ALL")
    superuser.execute("SET session_replication_role = replica")
    return superuser


def find(owner, text: str) -> str:
    row = owner.execute(
        "SELECT id::text FROM audit_record WHERE payload LIKE %s", [f"%{text}%"]
    ).fetchone()
    return row[0]


def edit(owner, text: str = "block 1 record 1", to: str = "block 1 record 7") -> None:
    owner.execute(
        "UPDATE audit_record SET payload = replace(payload, %s, %s) WHERE id = %s",
        [text, to, find(owner, text)],
    )


def delete(owner) -> None:
    owner.execute("DELETE FROM audit_record WHERE id = %s::uuid", [find(owner, "block 1 record 1")])


def swap(owner) -> None:
    a, b = find(owner, "block 1 record 0"), find(owner, "block 1 record 2")
    get = "SELECT payload FROM audit_record WHERE id = %s::uuid"
    put = "UPDATE audit_record SET payload = %s WHERE id = %s::uuid"
    one, two = owner.execute(get, [a]).fetchone()[0], owner.execute(get, [b]).fetchone()[0]
    owner.execute(put, [two, a])
    owner.execute(put, [one, b])


def redate(owner) -> None:
    owner.execute(
        "UPDATE audit_record SET recorded_at = recorded_at - interval '1 day' WHERE id = %s::uuid",
        [find(owner, "block 1 record 1")],
    )


def insert(owner) -> None:
    owner.execute(
        "INSERT INTO audit_record (stream, kind, payload, transaction) "
        "SELECT stream, kind, replace(payload, 'record 1', 'record 9'), transaction "
        "FROM audit_record WHERE id = %s::uuid",
        [find(owner, "block 1 record 1")],
    )


def move_to_another_block(owner) -> None:
    owner.execute(
        "UPDATE audit_record SET transaction = (SELECT transaction FROM audit_record "
        "WHERE payload LIKE '%%block 2 record 0%%') WHERE id = %s::uuid",
        [find(owner, "block 1 record 1")],
    )


def renumber(owner) -> None:
    owner.execute(
        "UPDATE audit_block SET header = replace(header, '\"epoch\":0', '\"epoch\":1') "
        "WHERE number = 1"
    )


def remove_block(owner) -> None:
    owner.execute("DELETE FROM audit_block WHERE number = 1")


def forge_checkpoint(owner) -> None:
    owner.execute("UPDATE audit_checkpoint SET note = replace(note, '\n6\n', '\n5\n')")


@pytest.mark.requirement("URS-AUD-005")
@pytest.mark.parametrize(
    ("attack", "place", "what"),
    [
        (edit, "block 1, record with sequence 4", "changed"),
        (delete, "block 1, record with sequence 4", "missing"),
        (swap, "block 1, record with sequence 3", "place"),
        (redate, "block 1", "index_digest"),
        (insert, "block 1", "added|changed|place"),
        (move_to_another_block, "block 1, record with sequence 4", "missing"),
        (renumber, "block 1", "holds no fork record"),
        (remove_block, "block 2", "number 2 where 1 must come"),
        (forge_checkpoint, "checkpoint in the database", "does not fit"),
    ],
)
def test_the_verifier_names_what_a_superuser_changed(sealed, owner, attack, place, what):
    attack(owner)
    owner.commit()
    result = sealed.verify()
    assert not result.ok
    assert result.finding.place.startswith(place)
    assert re.search(what, result.finding.what)


@pytest.mark.requirement("URS-AUD-007")
def test_a_cut_tail_is_named_by_the_checkpoint_outside(sealed, owner):
    owner.execute("DELETE FROM audit_record WHERE payload LIKE '%block 2%'")
    owner.execute("DELETE FROM audit_block WHERE number = 2")
    owner.execute("DELETE FROM audit_checkpoint WHERE tree_size = 9")
    owner.commit()
    result = sealed.verify()
    assert result.finding.place == "end of the ledger, after 6 records"
    assert "covers 9" in result.finding.what


@pytest.mark.requirement("URS-AUD-007")
def test_a_chain_rewritten_from_an_edit_on_meets_the_checkpoint_outside(sealed, owner):
    edit(owner)
    owner.execute("DELETE FROM audit_checkpoint WHERE tree_size > 3")
    owner.commit()
    rewrite_chain(owner)
    owner.commit()
    result = sealed.verify()
    assert result.finding.place == "block 1"
    assert "signed checkpoint" in result.finding.what


def rewrite_chain(owner) -> None:
    """Recompute every leaf, digest, root and hash as the sealer would, from block 0 on."""
    tree, before = merkle.Tree(), None
    for block in Block.objects.order_by("number"):
        header = chain.Header.decode(block.header.encode())
        rows = owner.execute(
            "SELECT id, payload, leaf, transaction::text, recorded_at FROM audit_record "
            "WHERE transaction >= %s::text::xid8 AND transaction < %s::text::xid8 "
            "ORDER BY audit_record.transaction, id",
            [str(header.transaction_from), str(header.transaction_below)],
        ).fetchall()
        entries = [
            chain.Entry(i, leaf, at, header.first_sequence + n, int(x))
            for n, (i, _, leaf, x, at) in enumerate(rows)
        ]
        tree.append(entry.leaf for entry in entries)
        changed = canonical.decode(header.encode()) | {
            "records_digest": chain.records_digest(row[1].encode() for row in rows),
            "index_digest": chain.index_digest(entry.line for entry in entries),
            "previous": before.hash if before else chain.GENESIS,
            "root": tree.root.hex(),
        }
        before = chain.Header.decode(canonical.encode(changed))
        owner.execute(
            "UPDATE audit_block SET header = %s, leaves = %s WHERE number = %s",
            [before.encode().decode(), b"".join(e.leaf for e in entries), header.number],
        )
