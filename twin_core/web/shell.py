"""What stands around each page: navigation, site, build, ledger head, end of the session."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

NAVIGATION = (  # label, route, key after g
    ("Desk", "web:desk", "d"),
    ("Batches", "web:batches", "b"),
    ("Models", "models_registry:models", "m"),
    ("Trail", "audit:trail", "t"),
    ("Evidence", "validation:evidence", "e"),
    ("People", "people:people", "p"),
    ("Health", "web:health", "h"),
)


@dataclass(frozen=True)
class NavItem:
    label: str
    href: str
    key: str
    is_current: bool = False
    count: int = 0


@dataclass(frozen=True)
class Head:
    """The end of the ledger: last sealed sequence and the time of the last checkpoint."""

    sequence: int
    checkpoint_at: datetime | None = None


@dataclass(frozen=True)
class Shell:
    """Context of ``base.html``, under the name ``shell``; without it the frame stays bare."""

    site_name: str
    site_zone: str
    now: datetime
    version: str
    build: str
    nav: tuple[NavItem, ...] = ()
    roles: tuple[str, ...] = ()
    printed_name: str = ""
    head: Head | None = None
    session_ends_at: datetime | None = None
    status_href: str = ""
    sign_out_href: str = ""
    extend_href: str = ""
    signed_out_href: str = ""
    account_href: str = ""
    search_href: str = ""


def address(route: str) -> str:
    """Return the address of a route, or nothing where this installation does not serve it."""
    try:
        return reverse(route)
    except NoReverseMatch:
        return ""


def nav_items(path: str) -> Iterator[NavItem]:
    """Yield the pages this installation serves; the one that ``path`` lies below is current."""
    for label, route, key in NAVIGATION:
        href = address(route)
        if href:
            inside = path == href or (href != "/" and path.startswith(href))
            yield NavItem(label, href, key, is_current=inside)


def build() -> tuple[str, str]:
    from audit import software

    return software.version(), software.build_digest()


def shell(request: HttpRequest) -> dict[str, Shell]:
    """Context processor."""
    user = getattr(request, "user", None)
    inside = bool(user and user.is_authenticated)
    version, digest = build()
    return {
        "shell": Shell(
            site_name=settings.SITE_NAME,
            site_zone=settings.SITE_TIME_ZONE,
            now=timezone.now(),
            version=version,
            build=digest,
            nav=tuple(nav_items(request.path)) if inside else (),
            **(of_person(request) if inside else {}),
        )
    }


def of_person(request: HttpRequest) -> dict[str, Any]:
    """Return what the frame shows of the person who is signed in."""
    from audit.api import Role, current_roles, sessions

    user: Any = request.user
    return {
        "printed_name": user.printed_name,
        "roles": tuple(Role(role).label for role in sorted(current_roles(user))),
        "session_ends_at": sessions.ends_at(request.session),
        "sign_out_href": address("people:sign_out"),
        "extend_href": address("people:extend"),
        "signed_out_href": address("people:signed_out"),
        "account_href": address("people:account"),
    }
