"""What stands around each page: navigation, site, build, ledger head, end of the session."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from audit import software
from audit.api import Role, User, current_roles, sessions
from audit.head import Head, head

NAVIGATION = (  # label, route, key after g
    ("Desk", "web:desk", "d"),
    ("Batches", "web:batches", "b"),
    ("Models", "models_registry:models", "m"),
    ("Trail", "audit:trail", "t"),
    ("Evidence", "validation:evidence", "e"),
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
    account_href: str = ""
    people_href: str = ""
    extend_href: str = ""
    session_href: str = ""  # says when the session ends, without extending it
    signed_out_href: str = ""


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


def shell(request: HttpRequest) -> dict[str, Shell]:
    """Context processor; the frame stands without the database too, then without the head."""
    user = getattr(request, "user", None)
    facts = facts_of(request, user) if isinstance(user, User) else {}
    return {
        "shell": Shell(
            site_name=settings.SITE_NAME,
            site_zone=settings.SITE_TIME_ZONE,
            now=timezone.now(),
            version=software.version(),
            build=software.build_digest(),
            status_href=address("web:status"),
            **facts,
        )
    }


def facts_of(request: HttpRequest, user: User) -> dict[str, Any]:
    """Return what the frame shows to a person who is signed in."""
    return {
        "nav": tuple(nav_items(request.path)),
        "roles": tuple(sorted(Role(role).label for role in current_roles(user))),
        "printed_name": user.printed_name,
        "head": head(),
        "session_ends_at": sessions.ends_at(request.session),
        "sign_out_href": address("people:sign_out"),
        "account_href": address("people:account"),
        "people_href": address("people:people"),
        "extend_href": address("people:extend"),
        "session_href": address("people:session_left"),
        "signed_out_href": address("people:signed_out"),
    }
