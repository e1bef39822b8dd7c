"""Reads JSON bodies, and refuses a time that a client brings for what it asks to be done."""

from collections.abc import Iterator
from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.parsers import JSONParser

# What records call their times; none is taken from outside.
TIMES = {
    *("at", "time", "date", "datetime", "timestamp", "now", "clock", "when"),
    *("occurred_at", "recorded_at", "signed_at", "sealed_at", "created_at", "updated_at"),
    *("entered_at", "started_at", "closed_at", "decided_at", "approved_at", "sampled_at"),
}


class FieldNotWritable(APIException):
    """The time of an act is the system's."""

    status_code = 422
    default_detail = "the request brings a time"
    default_code = "field_not_writable"


class StrictJSON(JSONParser):
    """JSON without times of the client's making."""

    def parse(self, *args: Any, **options: Any) -> Any:
        content = super().parse(*args, **options)
        if found := sorted(set(times_in(content))):
            raise FieldNotWritable(
                f"{', '.join(found)}: times of acts and records are the system's own; leave the "
                "field out, or say it in the reason"
            )
        return content


def times_in(content: Any) -> Iterator[str]:
    """Yield the names of times anywhere in a body."""
    if isinstance(content, dict):
        yield from (name for name in content if str(name).casefold() in TIMES)
        for value in content.values():
            yield from times_in(value)
    elif isinstance(content, list):
        for value in content:
            yield from times_in(value)
