"""Finding the Chromium that the journeys drive; ``python -m tests.chromium --install`` gets it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NOT_RUN = "JOURNEYS NOT RUN: no Chromium; apt-get install chromium"


def find() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> bool:
    """Install Debian's package when that is possible here: as root, on Debian or its kin."""
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-qy", "--no-install-recommends", "chromium"]):
        if subprocess.run(["apt-get", *arguments], env=environment, check=False).returncode:
            return False
    return find() is not None


def main() -> None:
    if find() is None and "--install" in sys.argv:
        install()
    path = find()
    print(f"browser for the journeys: {path}" if path else NOT_RUN)


if __name__ == "__main__":
    main()
