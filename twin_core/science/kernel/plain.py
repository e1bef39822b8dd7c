"""What the kernel sources need when they are read as ordinary Python."""

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable)


def compiled(function: F) -> F:
    """Mark a function of the kernel; the generated module compiles it, here it stays as it is."""
    return function
