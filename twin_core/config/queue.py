"""The queue's address in the spelling of each of its clients."""

from urllib.parse import parse_qsl, urlencode, urlsplit

from django.core.exceptions import ImproperlyConfigured

SCHEMES = {"redis", "rediss", "unix"}


def celery_address(url: str) -> str:
    """Return a redis-py address as Celery (kombu) spells it.

    They differ for Unix sockets alone: ``unix://:password@/path?db=0`` is
    ``redis+socket://:password@/path?virtual_host=0``.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise ImproperlyConfigured(
            f"TWIN_REDIS_URL must begin with one of {sorted(SCHEMES)}, not {parts.scheme!r}"
        )
    if parts.scheme != "unix":
        return url
    query = dict(parse_qsl(parts.query))
    database = query.pop("db", "0")
    query["virtual_host"] = database
    return parts._replace(scheme="redis+socket", query=urlencode(query)).geturl()
