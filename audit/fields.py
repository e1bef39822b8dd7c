"""Column types and database defaults that Django does not bring along."""

import os
import time
import uuid
from typing import Any

from django.db import models


class TransactionIdField(models.Field):
    """PostgreSQL's 64-bit transaction id (``xid8``), an ``int`` in Python."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else str(value)


class UuidV7(models.Func):
    function = "uuidv7"
    output_field = models.UUIDField()


class CurrentTransaction(models.Func):
    function = "pg_current_xact_id"
    output_field = TransactionIdField()


class ClockTimestamp(models.Func):
    function = "clock_timestamp"
    output_field = models.DateTimeField()


class LeafHash(models.Func):
    """RFC 6962 leaf hash of a canonical text, computed where the bytes lie."""

    function = "ledger_leaf"
    output_field = models.BinaryField()


def uuid7() -> uuid.UUID:
    """Return a version 7 UUID (RFC 9562): 48 bits of Unix milliseconds, then random bits.

    For keys of regulated rows, which are known before their record is written.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)  # variant
