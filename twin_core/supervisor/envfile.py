"""The file ``env`` of a data folder: what a process must know to take part, to be sourced."""

import re
import shlex
from collections.abc import Mapping

from twin_core.supervisor.folder import DataFolder, write_private

LINE = re.compile(r"export (TWIN_[A-Z0-9_]+)=(.*)")


class EnvFileUnreadable(ValueError):
    """A line of the file is not what we write."""


def write(folder: DataFolder, values: Mapping[str, str]) -> None:
    """Write the variables so that a POSIX shell reads back exactly these values."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(values.items())]
    write_private(
        folder.env, "# Written at each start; source it. Holds secrets.\n" + "".join(lines)
    )


def read(folder: DataFolder) -> dict[str, str]:
    """Return the variables of the file; a line in another form raises EnvFileUnreadable."""
    values: dict[str, str] = {}
    for number, line in enumerate(folder.env.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        words = shlex.split(match[2]) if match else []
        if match is None or len(words) > 1:
            raise EnvFileUnreadable(f"{folder.env}, line {number}: expected export TWIN_NAME=value")
        values[match[1]] = words[0] if words else ""
    return values
