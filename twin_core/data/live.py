"""News for pages that stand open: which batch has changed, told when its act is committed."""

from django.db import connection

from twin_core.models import Batch

CHANNEL = "live"


def tell(batch: Batch) -> None:
    """Say that a batch has changed; part of the caller's transaction, said once for each."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, batch.number])
