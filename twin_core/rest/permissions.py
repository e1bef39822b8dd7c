"""Who may call at all; what each role may do is decided by the services behind."""

from typing import Any

from rest_framework.permissions import BasePermission

from audit.api import current_roles


class HoldsARole(BasePermission):
    """An active person with at least one role."""

    message = "you hold no role yet; a system administrator grants roles"

    def has_permission(self, request: Any, view: Any) -> bool:
        return request.user.is_authenticated and bool(current_roles(request.user))


class OwnSession(BasePermission):
    """Anybody: a person reads, opens and closes the own session."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return True
