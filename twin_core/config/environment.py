"""Reading settings from the environment: a value is typed here or the start is refused."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}


def env_text(name: str, default: str | None = None) -> str:
    """Return the variable's text; without a default a missing one stops the start."""
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set: source the env file of a data folder")
    return value


def env_bool(name: str, *, default: bool) -> bool:
    value = os.environ.get(name, "").strip().lower()
    if value in TRUE | FALSE:
        return value in TRUE
    if value:
        raise ImproperlyConfigured(f"{name} must be one of {sorted(TRUE | FALSE)}, not {value!r}")
    return default


def env_number(name: str, *, default: float) -> float:
    value = os.environ.get(name)
    try:
        return default if value is None else float(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number, not {value!r}") from None


def env_secret(name: str, *, shortest: int = 32) -> str:
    """Return a secret; there is no default, and a short one is refused."""
    value = env_text(name)
    if len(value) < shortest:
        raise ImproperlyConfigured(f"{name} is shorter than {shortest} characters")
    return value


def env_path(name: str, default: Path | None = None) -> Path:
    return Path(env_text(name, None if default is None else str(default))).resolve()


def env_optional_path(name: str) -> Path | None:
    """Return the path in the variable; None where it is not set or empty."""
    value = env_text(name, "")
    return Path(value).resolve() if value else None


def env_paths(name: str) -> list[Path]:
    """Return the paths in the variable, separated as in ``PATH``."""
    return [Path(part).resolve() for part in env_text(name, "").split(os.pathsep) if part]


def env_url(name: str, *, default: str) -> str:
    value = env_text(name, default).rstrip("/")
    if urlsplit(value).scheme not in {"http", "https"}:
        raise ImproperlyConfigured(f"{name} must be an http or https address, not {value!r}")
    return value


def env_database(name: str, *, optional: bool = False) -> dict[str, Any]:
    """Return Django's settings for the address in the variable; see ``database_settings``.

    Empty when it is ``optional`` and not set.
    """
    if optional and not os.environ.get(name):
        return {}
    return database_settings(name, env_text(name))


def database_settings(name: str, address: str) -> dict[str, Any]:
    """Return Django's settings for ``postgresql://role:password@host:port/name?host=/socket``.

    ``name`` is the variable that an error message blames; the address itself holds a password
    and is never shown.
    """
    url = urlsplit(address)
    if url.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"{name} must be a postgresql:// address")
    query = dict(parse_qsl(url.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.lstrip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": query.pop("host", None) or url.hostname or "",
        "PORT": query.pop("port", None) or str(url.port or ""),
        "OPTIONS": query,
    }
