"""A file given in byte ranges (RFC 9110, 14), so that a broken download goes on where it broke.

The entity tag is the file's SHA-256: a range of another file is never joined to what a person has.
"""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

STEP = 1 << 18  # bytes sent at a time
RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


def asked_for(request: HttpRequest, *, size: int, tag: str) -> tuple[int, int] | None:
    """Return (first, last) of the bytes wanted: all of them, or a range that still holds.

    None when a range lies outside the file.
    """
    text, only_if = request.headers.get("Range", ""), request.headers.get("If-Range")
    found = RANGE.fullmatch(text)
    if found is None or not any(found.groups()) or (only_if and only_if != tag):
        return 0, size - 1  # no range, several, or one of another file: all of it
    first, last = found.groups()
    if not first:
        start, stop = max(size - int(last), 0), size - 1
    else:
        start, stop = int(first), min(int(last), size - 1) if last else size - 1
    return (start, stop) if start <= stop else None


def answer(request: HttpRequest, path: Path, *, digest: str, name: str) -> HttpResponseBase:
    """Return the file, or the part of it that was asked for; ``digest`` is its SHA-256, hex."""
    size, tag = path.stat().st_size, f'"{digest}"'
    wanted = asked_for(request, size=size, tag=tag)
    response: HttpResponseBase
    if wanted is None:
        response = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{size}"
        return response
    start, stop = wanted
    response = StreamingHttpResponse(_read(path, start, stop), content_type="application/zip")
    if (start, stop) != (0, size - 1):
        response.status_code = 206
        response["Content-Range"] = f"bytes {start}-{stop}/{size}"
    response["Content-Length"] = str(stop - start + 1)
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = tag
    response["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode()}:"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _read(path: Path, start: int, stop: int) -> Iterator[bytes]:
    left = stop - start + 1
    with path.open("rb") as file:
        file.seek(start)
        while left and (chunk := file.read(min(STEP, left))):
            left -= len(chunk)
            yield chunk
