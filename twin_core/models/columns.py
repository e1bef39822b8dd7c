"""Column types that every table of the twin shares."""

from typing import Any

from django.db import models


def process_hours(**options: Any) -> Any:
    """Hours since inoculation, on the plant's clock, to the nearest 4 milliseconds."""
    return models.DecimalField(max_digits=12, decimal_places=6, **options)


def number_text(**options: Any) -> Any:
    """The shortest decimal text that reads back to the same double; its unit stands beside it."""
    return models.CharField(max_length=40, **options)


def digest(**options: Any) -> Any:
    """A SHA-256 in hex."""
    return models.CharField(max_length=64, **options)
