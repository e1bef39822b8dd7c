"""A process whose time of day a test can set while it runs: a shim compiled with cc, preloaded."""

import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("shifted_clock.c")


@cache
def shim() -> Path:
    """Return the compiled shim; a C compiler is part of what building the product needs."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "no C compiler: install one (Debian: gcc), as README.md says"
    made = Path(tempfile.mkdtemp(prefix="twin-shim-")) / "shifted_clock.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(made), str(SOURCE)]
    subprocess.run(command, check=True, capture_output=True)
    return made


class Shifted:
    """A running Python program that answers one line for each line it is sent."""

    def __init__(self, process: "subprocess.Popen[str]", shift: Path) -> None:
        self.process, self.shift = process, shift

    def set_clock(self, seconds: float) -> None:
        """Move the process's time of day by ``seconds`` from the true one."""
        with self.shift.open("r+b") as file:
            file.write(struct.pack("d", seconds))

    def ask(self, line: str) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the process under test has ended"
        return answer.rstrip("\n")


@contextmanager
def running(program: str, environment: Mapping[str, str], folder: Path) -> Iterator[Shifted]:
    """Run a program text on a clock of its own until the block ends."""
    shift = folder / "shift"
    shift.write_bytes(struct.pack("d", 0.0))
    variables = {
        **{
            name: os.environ[name]
            for name in ("PATH", "HOME", "NUMBA_CACHE_DIR")
            if name in os.environ
        },
        **environment,
        "LD_PRELOAD": str(shim()),
        "TWIN_SHIFT": str(shift),
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "DJANGO_SETTINGS_MODULE": "twin_core.config.settings",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Shifted(process, shift)
    finally:
        process.kill()
        process.wait()
