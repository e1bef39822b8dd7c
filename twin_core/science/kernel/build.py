"""From sources to a compiled kernel: one generated module, named by the hash of its text.

Everything a process model needs in the certified path is written into one file, so that the
compiler's cache can never mix two versions, and its SHA-256 is the identity of the equations.
The file and the machine code lie outside the source tree, see ``cache_folder``.
"""

import hashlib
import importlib.util
import os
import platform
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from twin_core.science.kernel import arithmetic, conditioning, integrator

MARKER = "# kernel source below\n"
HEADER = '''"""Generated: the certified kernel. Do not edit; its name is the hash of its text."""
import math

import numpy as np
from numba import njit

POWERS_OF_TWO = np.array([math.ldexp(1.0, k) for k in range(-1022, 1024)])
sqrt = math.sqrt
compiled = njit(cache=True, fastmath=False, error_model="numpy")
'''


@dataclass(frozen=True, slots=True)
class Kernel:
    """A compiled process model: its functions and the SHA-256 of its source text."""

    functions: ModuleType
    digest: str


def cache_folder() -> Path:
    """Return the folder of compiled kernels: NUMBA_CACHE_DIR, else beside the interpreter.

    In a virtual environment ``<prefix>/var/twin-kernel``, otherwise the user's cache folder;
    where neither can be written, a folder for this user in the temporary directory.
    """
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "twin-kernel"
    environment = Path(sys.prefix) / "var" / "twin-kernel"
    candidates = [environment, home] if sys.prefix != sys.base_prefix else [home]
    for folder in candidates:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.gettempdir()) / f"twin-kernel-{os.getuid()}"


def kernel_text(model: ModuleType) -> str:
    """Return the text of the generated module for a process model's equations."""
    parts = [arithmetic, model, integrator, conditioning]
    return HEADER + "".join(source_below_marker(part) for part in parts)


def source_below_marker(module: ModuleType) -> str:
    """Return the part of a module's source that belongs to the kernel."""
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    return text.split(MARKER, 1)[1]


def equations_digest(model: ModuleType) -> str:
    """Return the SHA-256 of the kernel text: the identity of the equations."""
    return hashlib.sha256(kernel_text(model).encode()).hexdigest()


@lru_cache(maxsize=8)
def build(model: ModuleType) -> Kernel:
    """Return the compiled kernel of a model, from the cache where it is valid.

    A missing or foreign cache is announced on stderr and compiled anew (about a minute).
    """
    text = kernel_text(model)
    digest = hashlib.sha256(text.encode()).hexdigest()
    folder = private_folder(cache_folder())
    source = folder / f"kernel_{digest[:16]}.py"
    prepare_compiler(folder)
    if not source.exists() or source.read_text(encoding="utf-8") != text:
        announce(f"no compiled kernel {digest[:16]} in {folder}: compiling, about a minute")
        write_whole(source, text)
        write_whole(source.with_suffix(".host"), host_text())
    elif foreign(source):
        announce(f"the kernel in {folder} was compiled elsewhere: compiling, about a minute")
        write_whole(source.with_suffix(".host"), host_text())
    return Kernel(load(source), digest)


def host_text() -> str:
    """Return what compiled code depends on beside its source."""
    import llvmlite
    import numba

    parts = (
        platform.python_version(),
        numba.__version__,
        llvmlite.__version__,
        platform.machine(),
        str(getattr(numba.config, "CPU_NAME", None)),
    )
    return " ".join(parts) + "\n"


def foreign(source: Path) -> bool:
    """Return True when the cache beside the source was made by another compiler or host."""
    stamp = source.with_suffix(".host")
    return not stamp.exists() or stamp.read_text(encoding="utf-8") != host_text()


def private_folder(folder: Path) -> Path:
    """Make the folder; refuse one that another user owns: machine code is loaded from it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner = folder.stat().st_uid
    if owner not in (os.getuid(), 0):
        raise PermissionError(
            f"{folder} belongs to user {owner}: set NUMBA_CACHE_DIR to a folder of your own"
        )
    return folder


def write_whole(path: Path, text: str) -> None:
    """Write a file at once, so that another process never reads half of it."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def prepare_compiler(folder: Path) -> None:
    """Point numba at the cache and at a processor level that all our hosts have."""
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if platform.machine() in ("x86_64", "AMD64"):
        os.environ.setdefault("NUMBA_CPU_NAME", "x86-64-v2")
        os.environ.setdefault("NUMBA_CPU_FEATURES", "")
    import numba

    numba.config.reload_config()


def load(source: Path) -> ModuleType:
    """Import the generated module from its file."""
    name = source.stem
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, source)
    assert spec is not None and spec.loader is not None  # a .py file always has both
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def announce(text: str) -> None:
    """Tell the operator why this takes time."""
    print(text, file=sys.stderr, flush=True)
