"""Fork records: what two persons signed when the ledger went on after a restore."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from audit import chain, ledger
from audit.chain import FORK_KIND, Header
from audit.models import Record, Standing
from audit.recovery.differences import Loss, Place

STREAM = "ledger"
SIGNED = "audit.signature.made"  # kind of the record of a signature
SIGNERS = 2


def losses() -> list[Loss]:
    """Return what each fork record of the ledger says was lost, in the order of the epochs."""
    told = Record.objects.filter(stream=STREAM, kind=FORK_KIND).order_by("transaction", "id")
    return [loss_told(ledger.content(record)) for record in told]


def loss_told(content: dict[str, Any]) -> Loss:
    lost = content["data"]["lost"]
    return Loss(lost["from"], lost["below"])


def head_of(header: Header | None, origin: str) -> dict[str, Any] | None:
    """Return the end of a ledger as a fork record quotes it."""
    if header is None:
        return None
    return {
        "origin": origin,
        "tree_size": header.tree_size,
        "root": header.root,
        "block": {"number": header.number, "hash": header.hash},
    }


def pending() -> Record | None:
    """Return the fork record that waits to be sealed, if two persons have written one."""
    fork_id = Standing.objects.values_list("fork_id", flat=True).get()
    return None if fork_id is None else Record.objects.filter(pk=fork_id).first()


def flaw(fork: Record, last: Header | None, now: Place) -> str | None:
    """Return why a fork record does not open the next epoch of this ledger here, or None."""
    if fork.kind != chain.FORK_KIND or not ledger.is_intact(fork):
        return "it is no intact fork record"
    if last is not None and fork.transaction < last.transaction_below:
        return "it is older than the last block"
    told = ledger.content(fork)["data"]
    if told["new"]["epoch"] != (last.epoch if last else 0) + 1:
        return "it opens another epoch than the next one"
    here = (now.system_identifier, now.timeline)
    if (told["new"]["system_identifier"], told["new"]["timeline"]) != here:
        return "it was signed for another database cluster or timeline"
    quoted = (told["kept"] or {}).get("block", {}).get("hash")
    if quoted != (last.hash if last else None):
        return "it goes on from another block than the last one"
    if len(set(signers(fork))) < SIGNERS:
        return f"it is not signed by {SIGNERS} persons"
    return None


def signers(fork: Record) -> Sequence[UUID]:
    """Return who signed the fork record, as the records of its transaction say."""
    made = Record.objects.filter(transaction=fork.transaction, kind=SIGNED).order_by("id")
    changes = [ledger.content(record)["changes"][0]["new"] for record in made]
    return [UUID(new["signer_id"]) for new in changes if new["signed_id"] == str(fork.pk)]
