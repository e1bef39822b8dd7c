"""Who calls: the person of a session, opened at ``/api/session/`` or on the sign-in page."""

from typing import Any

from rest_framework.authentication import SessionAuthentication


class Session(SessionAuthentication):
    """The session cookie with, for every act, the token in ``X-CSRFToken``."""

    def authenticate_header(self, request: Any) -> str:
        """Name the scheme, so that a missing session is answered 401 and not 403."""
        return "Session"
