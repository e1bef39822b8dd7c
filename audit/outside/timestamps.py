"""Tokens of a time authority (RFC 3161) over checkpoints: asked for, checked, kept, checked again.

A token says that the text of a checkpoint existed at a time which the ledger's owner did not
choose. What is hashed is the checkpoint's text without its signatures.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import structlog
from cryptography import x509
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from rfc3161_client import (
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from audit import checkpoint, ledger
from audit.models import Record, Token
from audit.outside import policy as policies
from audit.outside.alarms import STREAM, Outage
from audit.outside.publishing import newest_note

RECEIVED, REQUESTED = "audit.timestamp.received", "audit.timestamp.requested"
FAILED, RESUMED = "audit.timestamp.failed", "audit.timestamp.resumed"
DAILY = timedelta(days=1)
PATIENCE = httpx.Timeout(20.0, connect=5.0)  # seconds; nobody waits for it
LARGEST = 65_536  # bytes of a token
PAUSE = 300.0  # seconds after a failure
CLOCKS_APART = timedelta(minutes=5)

log = structlog.get_logger("timestamps")


class StampRefused(Exception):
    """No token was had, or one that cannot be accepted; the message says why."""


@dataclass(frozen=True)
class Authority:
    """A time authority: where it is asked, and the root certificates that it is held to."""

    url: str
    roots: tuple[x509.Certificate, ...]

    def stamp(self, body: str) -> bytes:
        """Return a checked response (DER) over a checkpoint's text; raises StampRefused."""
        asked = TimestampRequestBuilder().data(body.encode()).nonce(nonce=True).build()
        raw = self._ask(asked.as_bytes())
        response = checked(raw, body, self.roots, nonce=asked.nonce)
        if abs(response.tst_info.gen_time - timezone.now()) > CLOCKS_APART:
            raise StampRefused(
                f"the authority's clock says {response.tst_info.gen_time}, ours differs by more "
                f"than {CLOCKS_APART}: compare both clocks"
            )
        return raw

    def _ask(self, content: bytes) -> bytes:
        try:
            answer = httpx.post(
                self.url,
                content=content,
                headers={"Content-Type": "application/timestamp-query"},
                timeout=PATIENCE,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise StampRefused(f"{self.url} does not answer: {error}") from error
        if answer.status_code != 200 or len(answer.content) > LARGEST:
            raise StampRefused(f"{self.url} answered {answer.status_code}, no token")
        return answer.content


def checked(
    raw: bytes,
    body: str,
    roots: Iterable[x509.Certificate],
    *,
    nonce: int | None = None,
) -> TimeStampResponse:
    """Return a response that an authority below ``roots`` made over this text.

    Raises StampRefused for any other. Needs no network: the certificates are in the response.
    """
    builder = VerifierBuilder()
    for root in roots:
        builder = builder.add_root_certificate(root)
    if nonce is not None:
        builder = builder.nonce(nonce)
    try:
        response = decode_timestamp_response(raw)
        builder.build().verify_message(response, body.encode())
    except (VerificationError, ValueError, TypeError) as error:
        raise StampRefused(f"the token does not hold: {error}") from error
    return response


def read_roots(path: Path) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a PEM file; raises StampRefused when there are none."""
    try:
        found = tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise StampRefused(f"{path} holds no certificates in PEM: {error}") from error
    return found


def authority() -> Authority | None:
    """Return the site's authority; None where none is configured."""
    if not settings.TIMESTAMP_URL:
        return None
    if settings.TIMESTAMP_ROOTS is None:
        raise StampRefused("TWIN_TIMESTAMP_ROOTS is not set: name the authority's certificates")
    return Authority(settings.TIMESTAMP_URL, read_roots(settings.TIMESTAMP_ROOTS))


def stamp(note: str, by: Authority) -> Token:
    """Have a checkpoint stamped and keep the token with a record; raises StampRefused.

    Call it outside a transaction: it waits for the network.
    """
    body, size = checkpoint.parse_note(note).body, checkpoint.parse(note).tree_size
    raw = by.stamp(body)
    told = decode_timestamp_response(raw).tst_info
    token = Token(
        tree_size=size,
        body=body,
        response=raw,
        authority=_name(told.name),
        stamped_at=told.gen_time,
    )
    with transaction.atomic():
        token.save(force_insert=True)
        ledger.append(
            stream=STREAM,
            kind=RECEIVED,
            data={
                "tree_size": size,
                "authority": token.authority,
                "stamped_at": told.gen_time,
                "serial_number": str(told.serial_number),
            },
        )
    return token


def _name(name: x509.GeneralName | None) -> str:
    value = getattr(name, "value", None)
    return value.rfc4514_string() if isinstance(value, x509.Name) else str(value or "not said")


def request(reason: str) -> Record:
    """Ask, in the running transaction, that the next checkpoint be stamped: at a release."""
    return ledger.append(stream=STREAM, kind=REQUESTED, reason=reason)


class Stamper:
    """Has checkpoints stamped each day and where it was asked for; ``step`` it each second."""

    def __init__(self, policy_file: Path) -> None:
        self.policy_file = policy_file
        self.alarm = Outage(begun=FAILED, ended=RESUMED)
        self.not_before = 0.0  # of the monotonic clock

    def step(self) -> None:
        if time.monotonic() < self.not_before:
            return
        note = newest_note(policies.read(self.policy_file)) if settings.TIMESTAMP_URL else None
        if note is None or not is_due(checkpoint.parse(note), timezone.now()):
            return
        try:
            by = authority()
            token = stamp(note, by) if by else None
        except StampRefused as error:
            self.not_before = time.monotonic() + PAUSE
            log.warning("no token", error=str(error))
            self.alarm.begin(str(error))
        else:
            self.alarm.end("a token was received", tree_size=token.tree_size if token else None)


def is_due(head: checkpoint.Checkpoint, now: datetime) -> bool:
    """Whether this checkpoint is to be stamped: a day has passed, or a record it covers asks."""
    last = Token.objects.order_by("-id").first()
    if last is not None and last.tree_size >= head.tree_size:
        return False
    if last is None or now - last.created_at >= DAILY:
        return True
    asked = Record.objects.filter(stream=STREAM, kind=REQUESTED).order_by("-id").first()
    sequence = ledger.sequence_of(asked) if asked else None
    return sequence is not None and last.tree_size <= sequence < head.tree_size
