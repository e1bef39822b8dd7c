"""Which witnesses must have seen a checkpoint before it counts as published. Pure.

A file of lines: ``<address> <public key>`` for each witness, and ``quorum <k>``.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from audit import checkpoint


class PolicyInvalid(ValueError):
    """The file of witnesses cannot be used; the message names the line and what to do."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness: where it is asked, and the key that its cosignatures are checked with."""

    url: str
    key: checkpoint.PublicKey

    @property
    def name(self) -> str:
        return self.key.name


@dataclass(frozen=True, slots=True)
class Policy:
    """``quorum`` of the ``witnesses`` must have cosigned."""

    witnesses: tuple[Witness, ...]
    quorum: int

    @property
    def keys(self) -> list[checkpoint.PublicKey]:
        return [witness.key for witness in self.witnesses]

    def cosigners(self, note: str) -> list[checkpoint.PublicKey]:
        """The witnesses that cosigned, each once; raises BadCheckpoint for a wrong line."""
        found = checkpoint.signers(checkpoint.parse_note(note), self.keys)
        return [key for key in self.keys if key in found]

    def is_met(self, note: str) -> bool:
        return len(self.cosigners(note)) >= self.quorum


def read(path: Path) -> Policy | None:
    """Return the policy of a file; None where there is no file, so none is configured.

    Raises PolicyInvalid for one that cannot be read: a mistake must not switch witnesses off.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    witnesses: list[Witness] = []
    quorum: int | None = None
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        first, _, rest = line.partition(" ")
        if first != "quorum":
            witnesses.append(_witness(f"{path}, line {number}", first, rest))
        elif quorum is None and rest.isascii() and rest.isdigit():
            quorum = int(rest)
        else:
            raise PolicyInvalid(f"{path}, line {number}: write 'quorum' and one number, once")
    return _checked(path, witnesses, quorum)


def _witness(place: str, url: str, vkey: str) -> Witness:
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
        raise PolicyInvalid(f"{place}: begin with the witness's http or https address")
    try:
        key = checkpoint.parse_vkey(vkey)
    except checkpoint.BadCheckpoint as error:
        raise PolicyInvalid(f"{place}: {error}") from error
    if key.algorithm != checkpoint.COSIGNATURE:
        raise PolicyInvalid(f"{place}: {key.name} is not a witness's key (kind 04)")
    return Witness(url.rstrip("/"), key)


def _checked(path: Path, witnesses: list[Witness], quorum: int | None) -> Policy:
    wanted = len(witnesses) if quorum is None else quorum
    if len({witness.key.raw for witness in witnesses}) != len(witnesses):
        raise PolicyInvalid(f"{path}: two lines have one key; it would be counted twice")
    if not 1 <= wanted <= len(witnesses):
        raise PolicyInvalid(
            f"{path}: the quorum is {wanted} of {len(witnesses)} witnesses; choose 1 to "
            f"{max(len(witnesses), 1)}, or remove the file to have no witnesses"
        )
    return Policy(tuple(witnesses), wanted)
