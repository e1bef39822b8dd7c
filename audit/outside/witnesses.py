"""Asking witnesses to cosign a checkpoint (C2SP tlog-witness), all at once and with short patience.

What a witness answers is data of a stranger: it is bounded, parsed, and counts only when its
signature is right and its time is now.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx
import structlog
from django.conf import settings

from audit import checkpoint, keys
from audit.outside import policy as policies
from audit.outside.policy import Policy, Witness
from audit.witness.protocol import compose

PATIENCE = httpx.Timeout(3.0, connect=1.0)  # seconds
LARGEST = 65_536  # bytes of an answer
MOST_ROUNDS = 3  # a witness that is behind is asked again from where it stands
CLOCKS_APART = 300  # seconds that a witness's clock may differ from ours
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 10.0  # seconds before a witness that failed is asked again

log = structlog.get_logger("witnesses")
Proof = Callable[[int], Iterable[bytes]]  # from this size to the checkpoint's


class Contradicted(Exception):
    """A witness holds a history that ours does not go on from: ours was rolled back or forked.

    ``ahead`` is true where it holds more than was sent; ``shown`` is the checkpoint it shows.
    """

    def __init__(
        self, reason: str, *, witness: Witness, size: int, ahead: bool = False, shown: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason, self.witness, self.size = reason, witness.name, size
        self.ahead, self.shown = ahead, shown


class Answered(NamedTuple):
    """An HTTP answer; ``status`` is 0 when there was none and ``text`` says why."""

    status: int
    text: str


class Seen(NamedTuple):
    """A tree that was seen elsewhere, under a checkpoint that the ledger signed."""

    size: int
    root: bytes
    where: str


@dataclass(slots=True)
class Asked:
    """One witness as we know it: the size it stands at, and how long it is left alone."""

    witness: Witness
    old: int = 0
    pause: float = 0.0
    not_before: float = 0.0  # monotonic
    problem: str = ""

    def succeeded(self, size: int) -> None:
        self.old, self.pause, self.not_before, self.problem = size, 0.0, 0.0, ""

    def failed(self, problem: str) -> None:
        self.pause = min(max(2 * self.pause, FIRST_PAUSE), LONGEST_PAUSE)
        self.not_before, self.problem = time.monotonic() + self.pause, problem


@dataclass(slots=True)
class Rounds:
    """The witnesses of a policy and what is remembered of them between checkpoints."""

    policy: Policy
    asked: list[Asked] = field(init=False)
    client: "Client" = field(init=False)  # kept, and with it the connections

    def __post_init__(self) -> None:
        self.asked = [Asked(witness) for witness in self.policy.witnesses]
        self.client = Client()

    def problems(self) -> dict[str, str]:
        """Return what is wrong with each witness that does not answer as it should."""
        return {one.witness.name: one.problem for one in self.asked if one.problem}

    def collect(self, note: str, proof: Proof) -> str:
        """Return the note with the cosignatures that were given; none may be.

        Raises Contradicted when a witness holds what our history does not go on from.
        """
        have = self.policy.cosigners(note)
        now = time.monotonic()
        waiting = [
            one for one in self.asked if one.witness.key not in have and one.not_before <= now
        ]
        for _ in range(MOST_ROUNDS):
            if not waiting:
                break
            answers = self.client.submit(waiting, note, proof)
            note, waiting = self._settle(note, answers)
        for one in waiting:
            one.failed("it names another size each time it is asked")
        return note

    def _settle(self, note: str, answers: list[tuple[Asked, Answered]]) -> tuple[str, list[Asked]]:
        """Take the lines that count; return the note and those to be asked again."""
        again, size = [], checkpoint.parse(note).tree_size
        for one, answer in answers:
            if answer.status == 200:
                note = _with_line(note, one, answer.text, size)
            elif answer.status == 409 and _is_size(answer.text):
                held = int(answer.text)
                _refuse_contradiction(one, held, note, self.client)
                one.old = held
                again.append(one)
            elif answer.status == 422 and one.old:
                raise Contradicted(
                    f"{one.witness.name} holds {one.old} records that ours do not go on from: "
                    "another host goes on with this ledger, or it was rewritten",
                    witness=one.witness,
                    size=one.old,
                )
            else:
                one.failed(f"{answer.status or 'no answer'}: {answer.text.strip()[:200]}")
        return note, again


def _with_line(note: str, one: Asked, text: str, size: int) -> str:
    """Add the witness's own line if it is right and of now; else say what is wrong with it."""
    key = one.witness.key
    try:
        given = checkpoint.parse_note(f"{note}{text}")
        [(_, at)] = checkpoint.signed_at(given, [key])
    except (checkpoint.BadCheckpoint, ValueError) as error:
        one.failed(f"its cosignature does not count: {error}")
        return note
    if at is None or abs(at - time.time()) > CLOCKS_APART:
        one.failed(f"its cosignature is dated {at}, our clock differs: compare both clocks")
        return note
    one.succeeded(size)
    line = next(line for line in text.splitlines() if line.startswith(f"— {key.name} "))
    return checkpoint.add_line(note, line)


def _refuse_contradiction(one: Asked, held: int, note: str, client: "Client") -> None:
    """Raise Contradicted where the witness's size cannot be an earlier one of this history."""
    witness, ours = one.witness, checkpoint.parse(note)
    name = witness.name
    if held > ours.tree_size:
        shown = client.newest(one.witness, ours.origin)
        told = (
            f"{name} holds a checkpoint of {held} records, this ledger has {ours.tree_size}: it "
            "was restored from an old copy, or another host goes on with it"
        )
        proof = shown.text if shown.status == 200 else ""
        raise Contradicted(told, witness=witness, size=held, ahead=True, shown=proof)
    if held == one.old == ours.tree_size:
        told = f"{name} holds another tree of {held} records: another host goes on with this ledger"
        raise Contradicted(told, witness=witness, size=held)


def _is_size(text: str) -> bool:
    told = text.removesuffix("\n")
    return told.isascii() and told.isdigit() and len(told) < 20


class Client:
    """HTTP to witnesses; a dead one costs its patience once, side by side with the others."""

    def __init__(self) -> None:
        self._http = httpx.Client(timeout=PATIENCE, follow_redirects=False)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def submit(self, waiting: list[Asked], note: str, proof: Proof) -> list[tuple[Asked, Answered]]:
        """Send the checkpoint to each, with the proof from where it stands; all at once."""
        size = checkpoint.parse(note).tree_size
        requests = [
            compose(one.old, proof(one.old) if 0 < one.old < size else (), note) for one in waiting
        ]

        def send(one: Asked, content: str) -> Answered:
            return self.ask("POST", f"{one.witness.url}/add-checkpoint", content)

        with ThreadPoolExecutor(len(waiting)) as pool:
            return list(zip(waiting, pool.map(send, waiting, requests), strict=True))

    def newest(self, witness: Witness, origin: str) -> Answered:
        """Ask for the newest checkpoint that a witness shows of a log: 404 when it shows none."""
        name = hashlib.sha256(origin.encode()).hexdigest()
        return self.ask("GET", f"{witness.url}/{name}/checkpoint")

    def ask(self, method: str, url: str, content: str = "") -> Answered:
        """Return the answer, cut to what is accepted; never raises for a stranger's doings."""
        try:
            with self._http.stream(method, url, content=content.encode()) as response:
                body = b""
                for part in response.iter_bytes():
                    body += part
                    if len(body) > LARGEST:
                        return Answered(0, f"the answer is larger than {LARGEST} bytes")
                return Answered(response.status_code, body.decode())
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeDecodeError) as error:
            return Answered(0, f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """One witness as a place that remembers how large the log of ``origin`` was."""

    witness: Witness
    origin: str
    trusted: tuple[checkpoint.PublicKey, ...]

    @property
    def name(self) -> str:
        return f"witness {self.witness.name}"

    def seen_elsewhere(self) -> tuple[int, bytes] | None:
        """Return (size, root) of the largest tree it shows; OSError when it does not answer.

        Only a checkpoint that the ledger's own key signed counts: nobody else stops a ledger.
        """
        with Client() as client:
            answer = client.newest(self.witness, self.origin)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise OSError(f"{self.witness.url}: {answer.status or 'no answer'} {answer.text[:200]}")
        try:
            head = checkpoint.verify(answer.text, self.trusted)
        except checkpoint.BadCheckpoint as error:
            raise OSError(f"{self.witness.url} shows a strange checkpoint: {error}") from error
        return (head.tree_size, head.root) if head.origin == self.origin else None


def elsewhere(origin: str | None = None, *, policy: Policy | None = None) -> list[Elsewhere]:
    """Return the site's witnesses as places that have seen this ledger's log ``origin``."""
    policy = policy or policies.read(settings.WITNESSES_FILE)
    trusted = tuple(keys.public_keys(settings.LEDGER_PUBLIC_KEY_FILE)) if policy else ()
    origin = origin or settings.LEDGER_ORIGIN
    return [Elsewhere(one, origin, trusted) for one in (policy.witnesses if policy else ())]


def largest_seen(origin: str | None = None, *, policy: Policy | None = None) -> Seen | None:
    """Return the largest tree of this ledger's log that a witness shows; None when none does.

    Asks each witness once, all at the same time; one that does not answer is passed over.
    """
    places = elsewhere(origin, policy=policy)
    if not places:
        return None
    with ThreadPoolExecutor(len(places)) as pool:
        found = [seen for seen in pool.map(_asked_once, places) if seen is not None]
    return max(found, key=lambda seen: seen.size, default=None)


def _asked_once(place: Elsewhere) -> Seen | None:
    try:
        seen = place.seen_elsewhere()
    except OSError as error:
        log.warning("a witness was not asked", witness=place.name, error=str(error))
        return None
    return Seen(*seen, place.name) if seen else None
