"""What the sealer's process does besides sealing: turns its key, and has evidence taken outside."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from audit import checkpoint, keys, ledger
from audit.models import Checkpoint
from audit.outside import stores
from audit.outside.background import running
from audit.outside.deliveries import Deliverer
from audit.outside.folder import Outside
from audit.outside.publishing import Publisher
from audit.outside.timestamps import Stamper
from audit.outside.turning import KeyPlace, authorised, settle


def key_place() -> KeyPlace:
    """Return the files of this installation's ledger key."""
    return KeyPlace(
        settings.LEDGER_KEY_FILE, settings.LEDGER_PUBLIC_KEY_FILE, settings.LEDGER_ORIGIN
    )


def settle_key(place: KeyPlace) -> None:
    """Complete, at the sealer's start, a turn of the key that was cut short."""
    newest = Checkpoint.objects.order_by("-tree_size").first()
    settle(place, newest.note if newest else None)


class KeyTurner:
    """Lets a running sealer turn its key, between two checkpoints."""

    def __init__(self, place: KeyPlace, work: Any) -> None:
        self.place, self.work = place, work
        self.old_key = ""

    def before_checkpoint(self) -> None:
        """Have the next checkpoint signed by both keys, once the two persons' record is sealed."""
        following = self.place.waiting()
        if following is None or self.work.next_key is not None or self.work.header is None:
            return
        record = authorised(following)
        if record is not None and record.transaction < self.work.header.transaction_below:
            self.place.list_public(following)
            self.old_key = ledger.content(record)["data"]["old_key"]
            self.work.next_key = keys.signing_key(self.place.next)

    def after_checkpoint(self) -> None:
        """Put the next key in force when the turning checkpoint is stored."""
        public = checkpoint.public_key(self.work.origin, self.work.key)
        if self.place.next.exists() and self.place.waiting() == public:
            self.place.put_in_force(self.old_key)


def second_key() -> Any:
    """Return the ledger's ML-DSA-44 key; None where the installation has none."""
    path = settings.LEDGER_SECOND_KEY_FILE
    return None if path is None else keys.second_signing_key(path)


@dataclass(frozen=True, slots=True)
class Beside:
    """What runs beside the sealer, as the sealer sees it."""

    publisher: Publisher
    wake: Callable[[], None]  # there is a new checkpoint

    @property
    def refusal(self) -> str | None:
        """Why the sealer must stop; None while all is well."""
        return self.publisher.refusal


@contextmanager
def evidence_outside(outside: Outside) -> Iterator[Beside]:
    """Publish, deliver and stamp checkpoints beside the block."""
    policy_file = settings.WITNESSES_FILE
    publisher = Publisher(policy_file, outside)
    places = stores.stores(
        settings.CHECKPOINT_FOLDERS, settings.CHECKPOINT_HOOK, settings.CHECKPOINT_HOOK_EVERY_S
    )
    steps = [
        ("publisher", publisher.step),
        ("stamper", Stamper(policy_file).step),
        *((place.name, Deliverer(place, policy_file).step) for place in places),
    ]
    with running(steps) as workers:
        yield Beside(publisher, workers[0].wake)
