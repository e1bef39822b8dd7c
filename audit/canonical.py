"""Canonical text: the one byte form of a value that everything in the ledger hashes.

RFC 8785 over a narrower set of values (docs/design/records.md, "Canonical text"). Inside these
limits sorting member names by code point equals the sorting by UTF-16 unit which the RFC asks
for, so the fast encoder gives the RFC's bytes.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import orjson

MAX_INTEGER = 2**53 - 1  # beyond it readers that keep numbers as doubles lose digits
MAX_DEPTH = 64  # objects and lists open at once; every reader can follow
_FIRST_REFUSED_CODE_POINT = "\ud800"  # from here the orders by UTF-8 and by UTF-16 differ


class NotCanonical(ValueError):
    """A value or a text is outside the canonical form; ``path`` says where, ``what`` says why."""

    def __init__(self, what: str, path: str = "") -> None:
        self.what = what
        self.path = path
        super().__init__(f"${path}: {what}")

    def inside(self, step: str) -> "NotCanonical":
        """The same flaw seen from the container that holds it at ``step``."""
        return NotCanonical(self.what, step + self.path)


def encode(value: Any) -> bytes:
    """Return the canonical UTF-8 bytes of ``value``.

    Takes None, bool, int, str, list, tuple and dict with str keys, and writes aware datetimes,
    UUIDs, Decimals, bytes and Enums as records.md says. Raises NotCanonical, naming the path,
    for everything else: a float is written with ``number``, never as it is.
    """
    if _is_simple(value):
        try:
            return orjson.dumps(value, default=_told, option=_SIMPLE)
        except orjson.JSONEncodeError:
            pass  # something inside is refused: the slow way says what and where
    return orjson.dumps(_plain(value, 0), option=orjson.OPT_SORT_KEYS)


def decode(text: bytes) -> Any:
    """Return the value of a canonical text; refuses any other spelling, duplicate names too."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotCanonical(f"not JSON in UTF-8: {error}") from error
    if encode(value) != bytes(text):
        raise NotCanonical("JSON, but not in canonical form (order, spaces, escapes, duplicates)")
    return value


def number(value: float, unit: str) -> dict[str, str]:
    """Return ``{"unit", "value"}`` with the shortest text that reads back to the same double.

    The text has the digits of ``repr`` in the form that RFC 8785 gives a number (ECMAScript):
    plain from 1e-6 to below 1e21 (``253``, ``0.00001``), else one digit before the point and
    an exponent with its sign (``1e+21``, ``1.5e-7``). Minus zero is ``-0``, so its sign lives.
    Raises NotCanonical for NaN, infinities and integers beyond 2^53 - 1.
    """
    if isinstance(value, bool):
        raise NotCanonical(f"{value} is a truth value, not a number")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise NotCanonical(f"the integer {value} may not fit a double; write it as text")
    if not math.isfinite(value):
        raise NotCanonical(f"{value} is no number that can be recorded; record why it is missing")
    return {"unit": unit, "value": _shortest(float(value))}


def quantity(measured: dict[str, str]) -> float:
    """Return the double that ``number`` wrote, bit for bit. Raises NotCanonical for other texts."""
    text = measured["value"]
    try:
        value = float(text)
    except (TypeError, ValueError) as error:
        raise NotCanonical(f"{text!r} is not a decimal number", ".value") from error
    if not math.isfinite(value) or _shortest(value) != text:
        raise NotCanonical(f"{text!r} is not the shortest text of its number", ".value")
    return value


def timestamp(moment: datetime) -> str:
    """Return an aware time as ``2026-01-31T09:15:00.000000Z``; raises NotCanonical for a naive."""
    if moment.utcoffset() is None:
        raise NotCanonical(f"{moment} has no time zone; give an aware datetime")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _is_simple(value: Any) -> bool:
    """Whether orjson alone writes ``value`` as ``_plain`` would have it, or refuses it.

    So it is when all names are ASCII and every member has one of the types below exactly: orjson
    would write a float, and subclasses in its own way. Level by level, since depth is limited.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        members: Any
        for held in level:
            if type(held) is dict:
                for name in held:
                    if type(name) is not str or not name.isascii():
                        return False
                members = held.values()
            else:
                members = held if type(held) in _LISTS else (held,)
            for member in members:
                if (sort := type(member)) in _HOLDERS:
                    deeper.append(member)
                elif sort not in _SIMPLE_TYPES:
                    return False
        if not deeper:
            return True
        level = deeper
    return False


def _told(value: Any) -> Any:
    """What orjson does not know by itself."""
    return _CONVERTERS[type(value)](value, 0)


def _shortest(value: float) -> str:
    """Digits of ``repr`` laid out by ECMAScript's Number::toString; ``-0`` for minus zero."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(digits) + int(exponent)  # value = 0.text x 10**point
    minus = "-" if sign else ""
    if value == 0:
        return minus + "0"
    if len(text) <= point <= 21:
        return minus + text.ljust(point, "0")
    if 0 < point <= 21:
        return f"{minus}{text[:point]}.{text[point:]}"
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{minus}{text[0]}{fraction}e{point - 1:+d}"


def _plain(value: Any, depth: int) -> Any:
    """``value`` made of None, bool, int, str, list and dict alone, all within the limits."""
    convert = _CONVERTERS.get(type(value))
    if convert is None:
        convert = _converter_of_subclass(value)
    return convert(value, depth)


def _plain_object(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    _check_depth(depth)
    plain = {}
    for name, member in value.items():
        try:
            _check_name(name)
            plain[_plain_text(name, depth)] = _plain(member, depth + 1)
        except NotCanonical as flaw:
            raise flaw.inside(f".{name}") from flaw.__cause__
    return plain


def _plain_list(value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
    _check_depth(depth)
    plain = []
    try:
        for item in value:
            plain.append(_plain(item, depth + 1))  # noqa: PERF401  (its length is the place)
    except NotCanonical as flaw:
        raise flaw.inside(f"[{len(plain)}]") from flaw.__cause__
    return plain


def _plain_text(value: str, depth: int) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise NotCanonical(f"half of a surrogate pair at position {error.start}") from error
    return str(value)


def _plain_integer(value: int, depth: int) -> int:
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise NotCanonical("an integer beyond 2^53 - 1; write it as text")
    return int(value)


def _plain_decimal(value: Decimal, depth: int) -> str:
    if not value.is_finite():
        raise NotCanonical(f"{value} is no number that can be recorded")
    return format(value, "f")


def _refused_float(value: float, depth: int) -> Any:
    raise NotCanonical(f"the float {value!r}; write it with its unit by canonical.number")


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise NotCanonical(f"nested deeper than {MAX_DEPTH} levels")


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        raise NotCanonical(f"the member name {name!r} is not text")
    if name and max(name) >= _FIRST_REFUSED_CODE_POINT:
        raise NotCanonical(f"the member name {name!a} has a character from U+D800 on")


_SIMPLE = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_DATETIME
_SIMPLE_TYPES = frozenset({str, int, bool, type(None), datetime, UUID, Decimal, bytes})
_LISTS = frozenset({list, tuple})
_HOLDERS = frozenset({dict, list, tuple})
_Converter = Callable[[Any, int], Any]
_CONVERTERS: dict[type, _Converter] = {
    dict: _plain_object,
    list: _plain_list,
    tuple: _plain_list,
    str: _plain_text,
    int: _plain_integer,
    bool: lambda value, depth: value,
    type(None): lambda value, depth: None,
    float: _refused_float,
    datetime: lambda value, depth: timestamp(value),
    UUID: lambda value, depth: str(value),
    Decimal: _plain_decimal,
    bytes: lambda value, depth: value.hex(),
    Enum: lambda value, depth: _plain(value.value, depth),
}
# An Enum may be a str or an int as well (StrEnum): its value decides, so it is asked first.
_ASKED_IN_ORDER = (Enum, str, int, float, dict, list, tuple, datetime, UUID, Decimal, bytes)


def _converter_of_subclass(value: Any) -> _Converter:
    for kind in _ASKED_IN_ORDER:
        if isinstance(value, kind):
            return _CONVERTERS[kind]
    raise NotCanonical(f"a value of type {type(value).__name__}; write it as text")
