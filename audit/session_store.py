"""Where sessions lie: in the database, with their person and times in columns beside the data."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

OPENED, SEEN, ADDRESS = "opened_at", "seen_at", "address"  # kept in the session's data


class SessionStore(DatabaseStore):
    """Django's store on ``OpenSession``."""

    @classmethod
    def get_model_class(cls) -> Any:
        from audit.models import OpenSession

        return OpenSession

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        row.user_id = data.get(SESSION_KEY)
        row.opened_at, row.seen_at = moment(data.get(OPENED)), moment(data.get(SEEN))
        row.address = data.get(ADDRESS)
        return row


def moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
