"""Random numbers that are functions of (seed, name, number), never of the order of the calls.

Integers, additions and one multiplication alone: the bits are the same on every machine and for
every version of every library.
"""

from hashlib import sha256

_WORD = (1 << 64) - 1
_SQRT_3 = 1.7320508075688772
_QUARTERS = 4 * 0xFFFF / 2


class Stream:
    """The random numbers of one name under one seed."""

    __slots__ = ("_key",)

    def __init__(self, seed: int, name: str) -> None:
        self._key = int.from_bytes(sha256(f"{seed}/{name}".encode()).digest()[:8], "big")

    def uniform(self, number: int = 0) -> float:
        """Return the number-th draw, uniform in [0, 1)."""
        return (self._word(number) >> 11) * 2.0**-53

    def normal(self, number: int = 0) -> float:
        """Return the number-th draw, mean 0, deviation 1, within +-3.47.

        The sum of four 16-bit uniform numbers: near enough to a Gaussian for a sensor's noise.
        """
        word = self._word(number)
        total = (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48)
        return (total - _QUARTERS) / 65536.0 * _SQRT_3

    def _word(self, number: int) -> int:
        """Mix key and number as splitmix64 does (Steele, Lea, Flood 2014)."""
        word = (self._key + (number + 1) * 0x9E3779B97F4A7C15) & _WORD
        word = ((word ^ word >> 30) * 0xBF58476D1CE4E5B9) & _WORD
        word = ((word ^ word >> 27) * 0x94D049BB133111EB) & _WORD
        return word ^ word >> 31
