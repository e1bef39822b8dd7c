"""Runs the one-file verifier under watch; run as a program: guarded.py VERIFIER BUNDLE ...

Prints one JSON object: for each bundle what the verifier said and the CPU seconds it took (a busy
machine must not decide; who calls sets a limit in time), and what the process did that no verifier
may do (opened a file for writing, changed the disk, used a socket, started a program), and its peak
memory.
"""

import importlib.util
import json
import os
import sys
import time
from typing import Any

FORBIDDEN = ("socket.", "subprocess.", "urllib.", "http.", "ftplib.", "smtplib.", "shutil.")
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
CHANGES |= {"os.system", "os.exec", "os.posix_spawn", "os.fork", "os.chmod", "os.chown", "os.utime"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """What the audit hook saw."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.network: list[str] = []
        self.other: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if (isinstance(mode, str) and set(mode) & set("wax+")) or (flags or 0) & WRITING:
                self.written.append(str(path))
        elif event.startswith("socket."):
            self.network.append(event)
        elif event in CHANGES or event.startswith(FORBIDDEN):
            self.other.append(event)


def load(path: str) -> Any:
    """The verifier as a module, from its file alone."""
    spec = importlib.util.spec_from_file_location("one_file_verifier", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def peak_MiB() -> float:
    """This program's own peak; getrusage would count the memory of the process that started it."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
        [line] = [line for line in status if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def main() -> None:
    sys.dont_write_bytecode = True
    module, watch, results = load(sys.argv[1]), Watch(), []
    sys.addaudithook(watch)
    for bundle in sys.argv[2:]:
        start = time.process_time()
        result = module.verify(bundle)
        said = module.printable(result.text)
        results.append({"ok": result.ok, "said": said, "seconds": time.process_time() - start})
    found = {"results": results, "peak_MiB": peak_MiB(), "written": watch.written}
    found.update(network=watch.network, other=watch.other)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
