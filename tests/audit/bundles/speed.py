"""How fast the one-file verifier is, beside bare SHA-256 over the same bytes.

python -m tests.audit.bundles.speed [--records 300000] [--block 1000]
"""

import argparse
import hashlib
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from audit import verifier
from tests.audit.made_ledger import MadeLedger

ROUNDS = 3


def bare_sha256(folder: Path) -> None:
    """Hash every file, read in large parts: the least that any verifier must do."""
    buffer = memoryview(bytearray(1 << 20))
    for path in folder.rglob("*"):
        if path.is_file():
            digest = hashlib.sha256()
            with path.open("rb", buffering=0) as file:
                while size := file.readinto(buffer):
                    digest.update(buffer[:size])
            digest.hexdigest()


def seconds(act: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds, children included."""
    start, used = time.perf_counter(), _cpu()
    act()
    return time.perf_counter() - start, _cpu() - used


def _cpu() -> float:
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(who)[:2]) for who in both)


def _verify(folder: Path, *options: str) -> None:
    command = [sys.executable, "-I", verifier.__file__, str(folder), *options]
    subprocess.run(command, check=True, capture_output=True)


def measure(folder: Path) -> list[dict[str, float | str]]:
    """Medians of interleaved rounds; ``ratio`` is bare SHA-256's wall time over ours."""
    acts: dict[str, Callable[[], object]] = {
        "sha256": lambda: bare_sha256(folder),
        "quick": lambda: _verify(folder, "--quick"),
        "full": lambda: _verify(folder),
        "full, 2 jobs": lambda: _verify(folder, "--jobs", "2"),
    }
    rounds = [{name: seconds(act) for name, act in acts.items()} for _ in range(ROUNDS)]
    median = {name: sorted(each[name] for each in rounds)[ROUNDS // 2] for name in acts}
    return [
        {
            "name": name,
            "wall_s": round(wall, 3),
            "cpu_s": round(cpu, 3),
            "ratio": round(median["sha256"][0] / wall, 3),
        }
        for name, (wall, cpu) in median.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--block", type=int, default=1000)
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp())
    blocks = given.records // given.block
    made = MadeLedger(sizes=(given.block,) * blocks, checkpointed=(blocks - 1,))
    folder = made.write(home / "bundle")
    for line in measure(folder):
        sys.stdout.write(
            json.dumps({"records": given.records, "block": given.block, **line}) + "\n"
        )
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
