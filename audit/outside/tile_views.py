"""The published tree over HTTP in the C2SP tlog-tiles layout, for tools that are not ours.

Hashes tell nothing of what is recorded; a site may show them to everybody. Records are read by
auditors and by holders of a token alone.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from audit import checkpoint, identity, merkle, tiles
from audit.models import Block, Record, Role
from audit.outside import policy, readers
from audit.outside.layout import Place, place_at
from audit.outside.publishing import newest_note

_YEAR = 31_536_000  # seconds
_BINARY = "application/octet-stream"


@login_not_required
@require_safe
def newest(request: HttpRequest) -> HttpResponse:
    """Give the newest published checkpoint."""
    if (refused := _refusal_of_hashes(request)) is not None:
        return refused
    response = HttpResponse(_published(), content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response


@login_not_required
@require_safe
def tile(request: HttpRequest, level: str, path: str) -> HttpResponse:
    """Give a tile of hashes."""
    if (refused := _refusal_of_hashes(request)) is not None:
        return refused
    size, place = _place(level, path)
    hashes = tiles.reader(size)(place.level, place.index)[: place.width * merkle.HASH_BYTES]
    return _immutable(hashes, is_public=settings.TILES_ARE_PUBLIC)


@login_not_required
@require_safe
@gzip_page
def entries(request: HttpRequest, path: str) -> HttpResponse:
    """Give the records of one tile of leaves, each after its length in two bytes."""
    reader = readers.reader_of(request)
    if reader is None:
        return _unknown("an auditor's session, or a token that the site gave you")
    _, place = _place("0", path)
    payloads = payloads_between(place.start, place.stop)
    if len(payloads) != place.width:
        raise Http404("these records are not kept here any more")
    readers.note_reading(reader, start=place.start, stop=place.stop)
    bundle = b"".join(len(one).to_bytes(2, "big") + one for one in payloads)
    return _immutable(bundle, is_public=False)


def _published() -> str:
    note = newest_note(policy.read(settings.WITNESSES_FILE))
    if note is None:
        raise Http404("no checkpoint is published yet")
    return note


def _place(level: str, path: str) -> tuple[int, Place]:
    """Return the published size and the place at an address; 404 for what the tree lacks."""
    size, place = checkpoint.parse(_published()).tree_size, place_at(level, path)
    if place is None or not place.is_within(size):
        raise Http404("the published tree has no such tile")
    return size, place


def _refusal_of_hashes(request: HttpRequest) -> HttpResponse | None:
    """Refuse hashes to strangers unless the site shows them to everybody."""
    user: Any = request.user
    if settings.TILES_ARE_PUBLIC or "Authorization" in request.headers:
        is_known = settings.TILES_ARE_PUBLIC or readers.reader_of(request) is not None
        return None if is_known else _unknown("a token that the site gave you")
    if not user.is_authenticated:
        return _unknown("a session, or a token that the site gave you")
    identity.require_role(user, *Role, to="read the ledger's tiles")
    return None


def _unknown(what: str) -> HttpResponse:
    response = HttpResponse(f"this needs {what}\n", status=401, content_type="text/plain")
    response["WWW-Authenticate"] = 'Bearer realm="ledger"'
    response["Cache-Control"] = "no-store"
    return response


def _immutable(content: bytes, *, is_public: bool) -> HttpResponse:
    response = HttpResponse(content, content_type=_BINARY)
    who = "public" if is_public else "private"
    response["Cache-Control"] = f"{who}, max-age={_YEAR}, immutable"
    return response


def payloads_between(start: int, stop: int) -> list[bytes]:
    """Return the payloads with start <= sequence < stop, as far as they are kept."""
    first = Block.objects.filter(first_sequence__lte=start).order_by("-first_sequence")[:1]
    blocks = Block.objects.filter(
        first_sequence__gte=first.values("first_sequence"), first_sequence__lt=stop
    )
    found: list[bytes] = []
    for block in blocks.order_by("number").defer("leaves", "header"):
        low = max(start - block.first_sequence, 0)
        high = min(stop - block.first_sequence, block.count)
        rows = Record.objects.filter(
            transaction__gte=block.transaction_from, transaction__lt=block.transaction_below
        ).order_by("transaction", "id")
        found += [text.encode() for text in rows.values_list("payload", flat=True)[low:high]]
    return found
