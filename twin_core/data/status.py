"""Signs of life of services, for the health page."""

from django.utils import timezone

from twin_core.models import ServiceStatus


def tell(name: str, state: str, detail: str = "") -> None:
    """Say how a service stands; what was said before is replaced."""
    ServiceStatus.objects.update_or_create(
        name=name, defaults={"state": state, "detail": detail[:500], "at": timezone.now()}
    )
