"""Storage that fails on command: a small library that the test's server loads (needs ``cc``)."""

import mmap
import os
import shutil
import struct
import subprocess
from pathlib import Path

from tests.faults.clusters import Store

SOURCE = Path(__file__).with_name("storage_shim.c")
DATA_FULL, WAL_FULL, FLUSH_FAILS = 1, 2, 4
WORD = struct.Struct("=i")


class Storage:
    """The failing library under a store that is not started yet."""

    def __init__(self, store: Store) -> None:
        place = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path("/tmp")
        self.folder = place / store.folder.path.name
        self.folder.mkdir(mode=0o755, exist_ok=True)
        library, control = self.folder / "storage.so", self.folder / "control"
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        assert compiler, "a C compiler is needed for the tests of failing storage"
        arguments = ["-shared", "-fPIC", "-O1", "-w", "-o", library, SOURCE, "-ldl"]
        subprocess.run([compiler, *arguments], check=True)
        control.write_bytes(bytes(4096))
        control.chmod(0o666)
        self.file = control.open("r+b")
        self.page = mmap.mmap(self.file.fileno(), 4096)
        store.server.variables |= {"LD_PRELOAD": str(library), "FAULT_CONTROL": str(control)}

    def say(self, bits: int, *, flushes: int = 0) -> None:
        """Set what fails from now on; ``flushes`` pass before the one that fails."""
        WORD.pack_into(self.page, 4, flushes)
        WORD.pack_into(self.page, 0, bits)

    def heal(self) -> None:
        self.say(0)

    @property
    def failed_flushes(self) -> int:
        return WORD.unpack_from(self.page, 8)[0]

    @property
    def failed_writes(self) -> int:
        return WORD.unpack_from(self.page, 12)[0]

    def discard(self) -> None:
        self.page.close()
        self.file.close()
        shutil.rmtree(self.folder, ignore_errors=True)
