"""Who calls: the person of a session, opened at ``/api/session/`` or on the sign-in page."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import SessionAuthentication


class Session(SessionAuthentication):
    """The session cookie with, for every act, the token in ``X-CSRFToken``."""

    def authenticate_header(self, request: Any) -> str:
        """Name the scheme, so that a missing session is answered 401 and not 403."""
        return "Session"


class SessionScheme(OpenApiAuthenticationExtension):
    """The session cookie as OpenAPI names it."""

    target_class = "twin_core.rest.authentication.Session"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
