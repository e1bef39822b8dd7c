"""The one way in: password and one-time code, as ``audit.sessions`` asks for them."""

from typing import Any

from django.contrib.auth.backends import BaseBackend

from audit.models import User


class PeopleBackend(BaseBackend):
    """Finds the person of a session. Nobody is let in by a single password."""

    def authenticate(self, request: Any, **credentials: Any) -> None:
        """Refuse: sessions are opened by ``audit.sessions.sign_in``, which also records it."""
        return

    def get_user(self, user_id: Any) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()
