"""The ledger's standing: open for records, or closed until a person has decided.

It is closed from each start of the database server until the sealer has compared the ledger with
what is known of it elsewhere; and beyond that when it is not the ledger that was sealed last.
"""

from collections.abc import Iterator

from django.db import Error, connection

from audit.models import Standing

CLOSED = "57L01"  # SQLSTATE of a refused insert, see 0011_epochs


def current() -> Standing:
    """Return the standing as the last check left it; see ``is_open`` for now."""
    return Standing.objects.get()


def is_open() -> bool:
    """Whether an insert would be taken now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_sequence_last_value('audit_open') IS NOT DISTINCT FROM ledger_server_start()"
        )
        return bool(cursor.fetchone()[0])


def open_ledger() -> None:
    """Take records from now on: for this start of the server, everything was found in order."""
    if is_open():
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE audit_standing SET is_open = true, reason = '', since = clock_timestamp(), "
            "fork_id = NULL"
        )
        cursor.execute("SELECT setval('audit_open', ledger_server_start())")


def close(reason: str) -> None:
    """Refuse every record but those of the act that opens an epoch; effective at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('audit_open', 1)")
        cursor.execute(
            "UPDATE audit_standing SET is_open = false, reason = %s, since = CASE "
            "WHEN is_open THEN clock_timestamp() ELSE since END",
            [reason],
        )


def refusal_in(error: BaseException) -> str | None:
    """Return the database's words when an error means that the ledger is closed, else None."""
    for cause in _causes(error):
        if getattr(cause, "sqlstate", None) == CLOSED:
            diagnosis = getattr(cause, "diag", None)
            told = getattr(diagnosis, "message_primary", None)
            return told or str(cause)
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (error.__context__ if isinstance(error, Error) else None)
